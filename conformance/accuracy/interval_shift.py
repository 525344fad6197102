"""The interval that is owed around the golden value, moved to another value of the same operator."""

from __future__ import annotations

import numpy as np

from uol.conformance.accuracy.interval import Array, Enclosure
from uol.ir.program.rounding import round_to
from uol.ir.types import DTYPES, is_float

REFERENCE_ERROR = 2.0**-50
"""What an independent computation in float64 may itself be off, relative to its value: a few of its ulps. Where values cancel
to an exact 0, as x - mean may, what it leaves in place of the 0 is relative to the largest value of the result."""


def around(value: Array, owed: Enclosure, dtype: str) -> Enclosure:
    """[value - (golden - low), value + (high - golden)]: as much room as around the golden value.

    Where the kernel computes in float64 like the reference, the reference's own error is owed the same room again; where the
    golden value is exact, the reference may be off it by its own error, and the golden value is admitted, too. What
    is not finite in either is admitted where the golden value's own interval holds it. So is 0, where that interval holds
    both it and the reference: a unit that flushes factors gives it, wherever the reference lies. Other types are exact, but
    where they come of floats that are not: what the golden value's interval holds is admitted, too.
    """
    if not is_float(dtype):
        rounded = round_to(value, dtype)
        low, high = np.minimum(rounded, owed.low), np.maximum(rounded, owed.high)
        is_exact = owed.low == owed.high
        return Enclosure(rounded, np.where(is_exact, rounded, low), np.where(is_exact, rounded, high))
    if owed.exact and np.array_equal(value, owed.value, equal_nan=True):
        return owed
    value, golden, low, high = (np.asarray(a, np.float64) for a in np.broadcast_arrays(value, owed.value, owed.low, owed.high))
    share = 2.0 if DTYPES[dtype].accumulator == "f64" else 1.0
    with np.errstate(invalid="ignore", over="ignore"):
        largest = np.max(np.abs(value), where=np.isfinite(value), initial=0.0)
        left = (golden == 0.0) & (np.abs(value) <= REFERENCE_ERROR * largest)
        own = REFERENCE_ERROR * np.abs(value)
        apart = np.abs(value - golden)
        slack = np.where(left, np.abs(value), np.where(low != high, own, np.where(apart <= own, apart, 0.0)))
        below, above = share * (golden - low) + slack, share * (high - golden) + slack
        finite = np.isfinite(value) & np.isfinite(golden) & np.isfinite(below) & np.isfinite(above)
        held = (value >= low) & (value <= high) | np.isnan(value) & np.isnan(golden)
        moved_low = np.where(finite, value - below, np.where(held, low, value))
        moved_high = np.where(finite, value + above, np.where(held, high, value))
        may_be_zero = finite & held & (low != high) & (low <= 0.0) & (high >= 0.0)
        moved_low = np.where(may_be_zero, np.minimum(moved_low, 0.0), moved_low)
        moved_high = np.where(may_be_zero, np.maximum(moved_high, 0.0), moved_high)
    return Enclosure(value, moved_low, moved_high)
