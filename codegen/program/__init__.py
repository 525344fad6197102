"""Passes over the typed program, before it is cut into kernels.

    dead_stages.py, copies.py, wider_copies.py, isolate_reductions.py, unify_axes.py    what every program gets
    scatter_sums.py, scans.py, nested_extrema.py, recurrences.py, searches.py    forms that are found
    expand_sorts.py      sorts and scatters as reductions, for machines that have nothing better
"""
