"""The language's arithmetic by the instructions that there are.

elementary.py, exponentials.py, logarithms.py, powers.py, trigonometry.py, polynomials.py    functions of f32
min_max.py, casts.py, f8.py    extrema with NaN, conversions
integer_division.py, int64_arithmetic.py, int64_pairs.py, threefry.py    integers
"""
