"""Cases of real size, whose inputs are drawn on the card: of each input a seed travels, of each result a sample.

    generator.py   the kernels that draw, and the same numbers on this machine, at any places
    sample.py      which dims of a result can be sampled, and where
    owed.py        what the sample owes: exact values where sums of the inputs are exact, else the contract's bounds
    contents.py    what travels of such a case
    timing.py, timing.toml    the cases that are timed: operators at real sizes
"""
