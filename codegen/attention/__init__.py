"""Attention as one kernel.

    pattern.py                finding it
    softmax_shift.py, value_products.py    its parts in a program
    spec.py, parts.py    its spec, and what those need who write its kernel
    reach.py             which cols a row sees
    batch_numbers.py, pages.py    integers that a batch has, as its number of keys; keys in pages that a table names
    split_cols.py        it over parts of its cols, and what these come to
"""
