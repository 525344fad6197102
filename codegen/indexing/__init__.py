"""Index arithmetic between programs and specs.

arithmetic.py        index expressions made with constants folded, variables exchanged, and as numbers
affine.py            how they depend on axes: affine forms and strides
"""
