"""Kernels over rows, a block or a thread each.

    kinds.py           what the rest of the house knows of them
    schedule.py, row_schedules.py   how rows lie on threads, and which way is best      legality.py   whether one fits
    reduce_kernel.py   folds over the columns, in passes      folds.py        how a fold begins, goes on, and is shared
    neighbours.py      several rows side by side a thread     kept_reads.py   what a thread keeps of its row between passes
    head.py            what both have in common               staging.py      rows that come to shared memory first
    stored_once.py     what is the same for several rows
    scan_plan.py       running folds                          splitting.py    few long rows as more kernels over shorter ones
    select_plan.py     the order of a row's elements          merge_plan.py   runs that are sorted become one
"""
