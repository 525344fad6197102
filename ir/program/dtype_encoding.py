"""Values and the numpy arrays that hold them in memory.

f16 is float16. bf16, f8e4m3 and f8e5m2 have no numpy type and are carried as their bit patterns, uint16 and uint8.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from uol.ir.errors import ShapeError, UolError
from uol.ir.program.rounding import round_to
from uol.ir.types import DTYPES, is_float

Array = NDArray[Any]

STORAGE: dict[str, type[np.generic]] = {
    "f64": np.float64,
    "f32": np.float32,
    "f16": np.float16,
    "bf16": np.uint16,
    "f8e4m3": np.uint8,
    "f8e5m2": np.uint8,
    "i64": np.int64,
    "i32": np.int32,
    "i16": np.int16,
    "i8": np.int8,
    "u8": np.uint8,
    "bool": np.bool_,
}
"""The numpy type of a buffer's elements."""


@cache
def most_dims() -> int:
    """How many dims an array may have: 64 in numpy 2, 32 in numpy 1."""
    try:
        return np.empty((1,) * 64).ndim
    except ValueError:
        return 32


def require_dims(op: str, name: str, count: int) -> None:
    """Raises ShapeError for a tensor that no numpy array can be."""
    if count > most_dims():
        raise ShapeError(
            f"{op}: {name} has {count} dims, and a numpy array {most_dims()} at most",
            hint=f"put dims together to have {most_dims()} or fewer; PyTorch tensors, in `uol.ops.{op}`, may have more",
        )


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
    if DTYPES[dtype].bits == 8:
        return _bits_of_f8(np.asarray(exact, np.float64), dtype)
    with np.errstate(over="ignore"):
        return np.asarray(exact.astype(STORAGE[dtype]))


def decode(array: Array, dtype: str) -> Array:
    """What a buffer holds, as float64, int64 or bool."""
    if dtype == "bf16":
        with np.errstate(invalid="ignore"):  # signalling NaNs become quiet
            return np.asarray((array.astype(np.uint32) << np.uint32(16)).view(np.float32).astype(np.float64))
    if dtype == "bool":
        return array
    if is_float(dtype) and DTYPES[dtype].bits == 8:
        return np.asarray(f8_values(dtype)[array])
    return np.asarray(array.astype(np.float64 if is_float(dtype) else np.int64))


@cache
def f8_values(dtype: str) -> NDArray[np.float64]:
    """The value of each of the 256 bit patterns. Source: OCP 8-bit Floating Point Specification (OFP8), revision 1.0:
    e4m3 has no infinity and one NaN of either sign (S.1111.111), e5m2 is as IEEE 754."""
    digits, bias = (3, 7) if dtype == "f8e4m3" else (2, 15)
    patterns = np.arange(256)
    fraction, exponent = patterns & (2**digits - 1), patterns >> digits & (2 ** (7 - digits) - 1)
    subnormal = exponent == 0
    scaled = np.where(subnormal, fraction, fraction + 2**digits)
    values = np.ldexp(scaled.astype(np.float64), np.maximum(exponent, 1) - bias - digits)
    if dtype == "f8e4m3":
        values[(patterns & 0x7F) == 0x7F] = np.nan
    else:
        values[exponent == 31] = np.where(fraction[exponent == 31] == 0, np.inf, np.nan)
    return np.asarray(np.where(patterns < 128, values, -values), np.float64)


def _bits_of_f8(exact: NDArray[np.float64], dtype: str) -> Array:
    """The bit patterns of values that the type represents."""
    values = f8_values(dtype)[:128]
    ordered = values[: int(np.isfinite(values).sum()) + (dtype == "f8e5m2")]  # ascending, up to the infinity
    bits = np.searchsorted(ordered, np.abs(exact)).astype(np.uint8)
    bits = np.where(np.isnan(exact), np.uint8(0x7F), bits)
    return np.asarray(bits | np.where(np.signbit(exact), np.uint8(0x80), np.uint8(0)), np.uint8)
