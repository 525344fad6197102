"""Attention as one kernel.

    pattern.py                finding it
    softmax_shift.py, value_products.py    its parts in a program
    spec.py, parts.py    its spec, and what those need who write its kernel
    reach.py             which cols a row sees
    split_cols.py        it over parts of its cols, and what these come to
"""
