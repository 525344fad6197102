"""What conversions to f8 are tried on, and when what they give is right."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from uol.ir.program.dtype_encoding import encode, f8_values

F8 = ("f8e4m3", "f8e5m2")
PATTERNS = np.arange(256, dtype=np.uint8)


def floats() -> NDArray[np.float32]:
    """Every value of both formats, the midpoints between neighbours, one bit to either side; beyond the greatest and below
    the least; anything else."""
    values = np.concatenate([f8_values(dtype) for dtype in F8])
    ordered = np.unique(values[np.isfinite(values)])
    around = np.concatenate([ordered, (ordered[1:] + ordered[:-1]) / 2, ordered * 1.25, [0.0, -0.0]]).astype(np.float32)
    near = [around, np.nextafter(around, np.float32(np.inf)), np.nextafter(around, np.float32(-np.inf))]
    anything = np.random.default_rng(5).integers(0, 2**32, 200_000, dtype=np.uint32).view(np.float32)
    special = np.array([np.inf, -np.inf, np.nan, 449, 464, 465, 480, 57344, 61439, 61440, 61441, 1e-45, -1e-45], np.float32)
    return np.concatenate([*near, special, anything])


def same(got: NDArray[np.uint8], values: NDArray[np.float64], dtype: str) -> bool:
    """Equal patterns; any NaN is as good as another."""
    expected = encode(values, dtype)
    number = ~np.isnan(values)
    return bool((got[number] == expected[number]).all() and np.isnan(f8_values(dtype)[got[~number]]).all())
