"""Which schedule a kernel takes, and what speaks for it.

    schedules.py    all that there are           candidates.py   those of a spec, best first, and whether one fits
    rendering.py    the kernel of a spec and a schedule
    variants.py     kernels for parts of the sizes
    tile_counts.py  what tiles move, in closed form
    issued.py       what a kernel moves and issues; occupancy.py, cache_hits.py: blocks of a core, what passes memory again
"""
