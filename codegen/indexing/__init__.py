"""Index arithmetic between programs and specs.

    access.py            an access of a program as a read or a store of a spec
    arithmetic.py, fold_constants.py    index expressions made with constants folded, and variables exchanged in them
    affine.py            how they depend on axes: affine forms and strides
    dim_values.py        expressions of symbolic dims as numbers, once these are known
"""
