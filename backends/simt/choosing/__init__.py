"""Which schedule a kernel takes, and what speaks for it.

    kinds.py, schedules.py   the kinds that there are, in order
    candidates.py   schedules of a spec, best first, and whether one fits
    rendering.py    the kernel of a spec and a schedule
    variants.py     a kernel for each part of the sizes
    issued_by_runs.py    what a launch over many runs does
    issued.py       what a kernel moves and issues; occupancy.py, cache_hits.py: blocks of a core, what passes memory again
"""
