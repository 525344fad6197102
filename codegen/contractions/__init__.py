"""Passes on contractions.

    segment_bounds.py   where the segments of rows or terms begin, looked for once by a kernel of its own
    row_sums.py         sums of a factor's rows beside the contraction that reads it
"""
