"""Attention on threads.

    kinds.py             what the rest of the house knows of it
    schedule.py, candidates.py, legality.py, counts.py   tiles of rows: which there are, whether one fits, what it moves
    plan.py, tiles.py    the kernel, and what a tile takes
    elements.py, end.py  what becomes of a score, and the end of a row
    batch_numbers.py     integers that a batch has, in variables
"""
