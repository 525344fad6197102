"""Between values (float64, int64, bool) and the arrays that buffers hold: f16 as float16, bf16 as uint16 bit patterns."""

from __future__ import annotations

import numpy as np

from uol.conformance.interval import Array
from uol.ir.errors import UolError
from uol.ir.rounding import round_to
from uol.ir.types import is_float

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
"""The numpy type of a buffer's elements."""


def encode(values: Array, dtype: str) -> Array:
    """Values, rounded to `dtype`, as a buffer holds them."""
    if dtype not in STORAGE:
        raise UolError(f"no buffers of {dtype}", hint=f"the types are {', '.join(STORAGE)}")
    if not is_float(dtype):
        return np.asarray(values).astype(STORAGE[dtype])
    exact = round_to(values, dtype)
    if dtype == "bf16":
        bits = np.asarray(exact, dtype=np.float32).view(np.uint32) >> np.uint32(16)
        return np.asarray(bits.astype(np.uint16))
    with np.errstate(over="ignore"):
        return np.asarray(exact.astype(STORAGE[dtype]))


def decode(array: Array, dtype: str) -> Array:
    """What a buffer holds, as float64, int64 or bool."""
    if dtype == "bf16":
        with np.errstate(invalid="ignore"):  # signalling NaNs become quiet
            return np.asarray((array.astype(np.uint32) << np.uint32(16)).view(np.float32).astype(np.float64))
    if dtype == "bool":
        return array
    return np.asarray(array.astype(np.float64 if is_float(dtype) else np.int64))
