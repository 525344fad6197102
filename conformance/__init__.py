"""Does a target compute what the text means? Contracts, comparators, checks in the twin, mutants, and the model paths.

    contracts.toml, contracts.py     what accuracy is owed, as data
    interval.py, enclosure.py        the values that a contract admits for a program on given inputs
    comparison.py                    the comparators, and what they report
    twin_check.py, support.py        one operator on one target; the matrix of all of them
    mutate.py, mutation.py           faults put into emitted kernels, and which of them the twin lets pass
    paths/                           whole models
"""
