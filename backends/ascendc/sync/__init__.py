"""Flags and barriers.

    dependences.py       from a program to a synchronised one
    cells.py             stretches of memory, and the last accesses to each
"""
