"""Flags and barriers.

dependences.py       from a program to a synchronised one
iterations.py        how often its loops are walked
cells.py             stretches of memory, and the last accesses to each
"""
