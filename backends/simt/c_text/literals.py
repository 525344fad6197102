"""Constants of every element type as C literals."""

from __future__ import annotations

import math

import numpy as np

from uol.backends.simt.c_text.types import COMPUTE
from uol.ir.program.nodes import Const
from uol.ir.program.rounding import round_to
from uol.ir.types import is_float


def literal(const: Const, *, wide: bool = False) -> str:
    """The constant in its compute type: `0.1f` for f32, `7` or (`wide`) `7LL` for integers."""
    if const.dtype == "bool":
        return "true" if const.value else "false"
    if is_float(const.dtype):
        return float_literal(float(const.value), const.dtype)
    return integer_literal(int(const.value), wide=wide or const.dtype == "i64")


def float_literal(value: float, dtype: str) -> str:
    """The shortest decimal that reads back as the value, rounded to its type. (Not twice: a half's nearest float is it.)"""
    ctype = COMPUTE[dtype]
    value = float(round_to(value, dtype))
    if math.isnan(value):
        return f"uol::nan<{ctype}>()"
    if math.isinf(value):
        return f"{'-' if value < 0 else ''}uol::infinity<{ctype}>()"
    if dtype == "f64":
        return repr(value)
    text = f"{np.format_float_positional(np.float32(value), unique=True, trim='0')}f"
    if abs(value) >= 1e7 or 0 < abs(value) < 1e-4:
        text = f"{np.format_float_scientific(np.float32(value), unique=True, trim='0')}f"
    return text


def integer_literal(value: int, *, wide: bool) -> str:
    """The most negative value has no literal of its own in C."""
    if value in (-(2**31), -(2**63)):
        return f"({integer_literal(value + 1, wide=wide)} - 1)"
    suffix = "LL" if wide or not -(2**31) <= value < 2**31 else ""
    return f"{value}{suffix}"
