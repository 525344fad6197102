"""Expressions in TensorIR.

spec_expressions.py, builder.py, extents.py    expressions of a spec, statements of a kernel, lengths of loops
arithmetic.py, wrapping.py, casts.py, narrow.py, dtypes.py    types
fast_functions.py, exact_functions.py, threefry.py    built-in functions
folds.py, lane_values.py, vectorising.py, common_subexpressions.py    within vectorised loops
transposes.py    square blocks in registers
"""
