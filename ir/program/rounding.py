"""Rounding of float64 values to the narrower types, in numpy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from uol.ir.types import DTYPES, integer_range


@dataclass(frozen=True, slots=True)
class _Format:
    """`digits` of significand (the hidden one counted), least normal exponent of a significand in [1, 2), greatest
    finite value, and whether overflow saturates instead of giving inf."""

    digits: int
    least_exponent: int
    greatest: float
    saturates: bool = False


_FORMATS = {
    "f32": _Format(24, -126, float(np.finfo(np.float32).max)),
    "f16": _Format(11, -14, 65504.0),
    "bf16": _Format(8, -126, (2 - 2.0**-7) * 2.0**127),
    "f8e4m3": _Format(4, -6, 448.0, saturates=True),
    "f8e5m2": _Format(3, -14, 57344.0),
}


def round_to(array: ArrayLike, dtype: str) -> NDArray[np.generic]:
    """The values of `dtype` nearest to the given ones, ties to even; floats as float64, integers as int64, or bool.

    float -> float   overflow gives inf (f8e4m3 saturates; NaN stays NaN)
    float -> integer truncates and saturates, NaN gives 0
    integer -> integer wraps

    >>> float(round_to(0.1, "bf16"))
    0.10009765625
    """
    values = np.asarray(array)
    kind = DTYPES[dtype].kind
    if kind == "bool":
        return values.astype(np.bool_)
    if kind == "float":
        return values.astype(np.float64) if dtype == "f64" else _round_float(values.astype(np.float64), _FORMATS[dtype])
    if values.dtype.kind == "f":
        return _truncate(values, dtype)
    return wrap(values.astype(np.int64), dtype)


def wrap(values: NDArray[np.int64], dtype: str) -> NDArray[np.int64]:
    """Integers modulo 2**bits, in the range of `dtype`."""
    if DTYPES[dtype].bits == 64:
        return values
    low, high = integer_range(dtype)
    return np.asarray((values - low) % (high - low + 1) + low, np.int64)


def _round_float(values: NDArray[np.float64], form: _Format) -> NDArray[np.float64]:
    with np.errstate(all="ignore"):
        _, exponent = np.frexp(values)  # |significand| in [0.5, 1): one more than the exponent of [1, 2)
        exponent = np.maximum(exponent - 1, form.least_exponent) - (form.digits - 1)
        rounded = np.ldexp(np.rint(np.ldexp(values, -exponent)), exponent)
        limit = form.greatest if form.saturates else np.inf
        over = np.abs(rounded) > form.greatest
        rounded = np.where(over & ~np.isnan(values), np.copysign(limit, values), rounded)
    return np.asarray(np.where(np.isfinite(values), rounded, _infinite(values, form)), np.float64)


def _infinite(values: NDArray[np.float64], form: _Format) -> NDArray[np.float64]:
    return np.where(np.isnan(values) | (not form.saturates), values, np.copysign(form.greatest, values))


def _truncate(values: NDArray[np.generic], dtype: str) -> NDArray[np.int64]:
    low, high = integer_range(dtype)
    floats = np.trunc(np.nan_to_num(np.asarray(values, np.float64), nan=0.0, posinf=np.inf, neginf=-np.inf))
    inside = (floats >= low) & (floats < 2.0 ** high.bit_length())  # high itself may not be a float64
    whole = np.where(inside, floats, 0.0).astype(np.int64)
    return np.asarray(np.where(inside, whole, np.where(floats < low, low, high)), np.int64)
