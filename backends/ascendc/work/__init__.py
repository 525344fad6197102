"""What a kernel moves and issues.

    scalars.py   the scalar unit's integers, for many iterations at once
    walk.py      from a program to its instructions with their iterations
    amounts.py   what one instruction moves or computes
    issued.py    all of it, by path, primitive and core
"""
