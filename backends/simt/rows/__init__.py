"""Kernels over rows, a block or a thread each.

    reduce_plan.py   folds over the columns, in passes       folds.py        how a fold begins, goes on, and is shared
    scan_plan.py     running folds                           kept_reads.py   what a thread keeps of its row between passes
    select_plan.py   the order of a row's elements           splitting.py    few long rows as more kernels over shorter ones
"""
