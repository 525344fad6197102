"""Passes on contractions.

    segment_bounds.py   where the segments of rows or terms begin, looked for once by a kernel of its own
    row_sums.py         sums of a factor's rows beside the contraction that reads it
    split_terms.py      split-K: sums over parts of the terms, and their sum
    pack_places.py      pictures copied with the zeros beside them, channels side by side
"""
