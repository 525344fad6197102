"""What accuracy is owed, and whether a result has it.

    contracts.py, dual.py     contracts as data; two results against each other
    error_analysis.py, on index_space.py, interval.py, exact_values.py, functions.py, reductions.py, running.py, contraction.py
                              admitted values
    interval_shift.py, sorts_under_rounding.py, comparison.py    the comparators
"""
