"""Index arithmetic between programs and specs.

    access.py            an access of a program as a read or a store of a spec
    arithmetic.py, linear_forms.py, fold_constants.py    sums, affine forms, what is left of constants
    dim_values.py        expressions of symbolic dims as numbers, once these are known
"""
