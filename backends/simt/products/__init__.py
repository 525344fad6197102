"""Products on threads.

    kinds.py           what the rest of the house knows of them
    schedule.py, candidates.py, legality.py, counts.py   tiles of the result: which there are, whether one fits, what it moves
    tile_kernel.py     the kernel                    blocks.py     which part of the result a block computes
    operand.py         a factor on its way through shared memory
    epilogue.py        what becomes of a sum before it is stored
    segments.py        rows, or terms, in segments
    splitting.py       sums over parts of the terms, in a kernel of their own
    few_rows/          products of few rows, or few columns, which read each weight once
"""
