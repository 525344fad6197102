"""Flags and barriers.

    dependences.py       from a program to a synchronised one
    walk.py, clocks.py, plan.py    what is found missing, what pipes know, where it goes
"""
