"""How the elements of a buffer are stored, and what they stand for."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

STORAGE: dict[str, type[np.generic]] = {
    "f64": np.float64,
    "f32": np.float32,
    "f16": np.float16,
    "bf16": np.uint16,
    "i64": np.int64,
    "i32": np.int32,
    "i16": np.int16,
    "i8": np.int8,
    "u8": np.uint8,
    "bool": np.bool_,
}
"""numpy has no bf16: its bits are carried as uint16."""

EPSILON = {"f64": 2.0**-52, "f32": 2.0**-23, "f16": 2.0**-10, "bf16": 2.0**-7}
LEAST_EXPONENT = {"f64": -1022, "f32": -126, "f16": -14, "bf16": -126}


def is_float(dtype: str) -> bool:
    return dtype in EPSILON


def decoded(array: Array, dtype: str) -> Array:
    """The values of a buffer: float64, int64 or bool."""
    if dtype == "bf16":
        with np.errstate(invalid="ignore"):
            return np.asarray((array.astype(np.uint32) << np.uint32(16)).view(np.float32).astype(np.float64))
    if dtype == "bool":
        return array
    return np.asarray(array.astype(np.float64 if is_float(dtype) else np.int64))


def nearest(values: Array, dtype: str) -> Array:
    """Rounded to nearest even in a type of floats; float64 out."""
    with np.errstate(all="ignore"):
        if dtype != "bf16":
            return np.asarray(values.astype(STORAGE[dtype]).astype(np.float64))
        # bf16 has 8 digits: the spacing of its numbers at |x| is 2^(exponent - 7), and rint rounds half to even
        step = spacing(values, "bf16")
        rounded = np.where(np.isfinite(values), np.rint(values / step) * step, values)
        return np.asarray(np.where(np.abs(rounded) >= 2.0**128, np.copysign(np.inf, rounded), rounded))


def spacing(values: Array, dtype: str) -> Array:
    """The distance of a type's numbers at |values|: a unit in the last place."""
    finite = np.where(np.isfinite(values), values, 0.0)
    exponent = np.where(finite == 0, LEAST_EXPONENT[dtype], np.frexp(finite)[1] - 1)
    return np.asarray(np.ldexp(EPSILON[dtype], np.maximum(exponent, LEAST_EXPONENT[dtype])))
