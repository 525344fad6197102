"""Attention on matrix units: scores, their exponentials and the sums of values stay in the registers of a warp.

    kinds.py             what the rest of the house knows of it
    schedule.py, candidates.py, legality.py, counts.py   tiles: which there are, whether one fits, what it moves
    form.py, seen.py     what an attention's scores and weights must be; which cols rows see
    ends.py, paging.py   where keys and values end; where they lie in the pages of a cache
    known_tiles.py       what holds of the tiles of all blocks, and is not asked when a kernel runs
    place.py             names, a block's rows, the operands
    tiles.py, copies.py  where queries, keys and values lie in shared memory, and how they come there
    registers.py         the same of a machine whose tiles come through registers, and whose operands change places
    scores.py            products of queries and keys, their maximum, their exponentials, sums of values
    end.py               the end of a row
    kernel.py            the kernel
"""
