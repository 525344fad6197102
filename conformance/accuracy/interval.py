"""Arithmetic on golden values with the interval that rounding may reach: value in [low, high], elementwise.

A float of a kernel differs from the golden value (float64, unrounded) by the rounding of every operation before it. An
`Enclosure` carries both: the golden value and the lowest and highest value that arithmetic under a contract may give. Where
the exact result of a correctly rounded operation is representable the interval stays a point, so that an operator on small
integers must be met exactly. Values beyond the largest float become infinite, as they do in the kernel.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from uol.ir.program.rounding import round_to
from uol.ir.types import DTYPES

Array = NDArray[Any]
"""float64, int64 or bool."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Enclosure:
    """The golden `value` and what may stand for it: float64, int64 or bool arrays of one shape (up to broadcasting).

    A bool with low = False and high = True is one that rounding may turn.
    """

    value: Array
    low: Array
    high: Array

    @property
    def exact(self) -> bool:
        """Is every interval a point?"""
        return self.low is self.high or bool(np.all((self.low == self.high) | _both_nan(self.low, self.high)))

    def map(self, function: Callable[[Array], Array]) -> Enclosure:
        """The same rearrangement, or the same monotone function, applied to all three."""
        if self.low is self.value and self.high is self.value:
            return point(function(self.value))
        return Enclosure(function(self.value), function(self.low), function(self.high))


def point(value: Array) -> Enclosure:
    """A value that has no error."""
    return Enclosure(value, value, value)


def hull(value: Floats, *corners: Floats) -> Enclosure:
    """The smallest interval around corners, and the value. A corner that is NaN (inf - inf, 0 * inf) says nothing; where
    all are, everything is admitted. Where the value itself is NaN, NaN is owed."""
    low, high = corners[0], corners[0]
    for corner in corners[1:]:
        low, high = np.fmin(low, corner), np.fmax(high, corner)
    low, high = np.fmin(low, value), np.fmax(high, value)
    silent = np.isnan(value)
    return Enclosure(value, np.where(silent, np.nan, low), np.where(silent, np.nan, high))


def rounded(exact: Enclosure, dtype: str, ulps: float, *, flush: bool = False) -> Enclosure:
    """What an operation in `dtype` may give for an exact result in an interval: `ulps` away at most. With half an ulp it is
    the nearest number. With `flush`, a subnormal number may be zero."""
    low = _toward(_floats(exact.low), dtype, ulps, -1.0)
    high = _toward(_floats(exact.high), dtype, ulps, 1.0)
    if flush:
        tiny = smallest_normal(dtype)
        low = np.where((low > 0) & (low < tiny), 0.0, low)
        high = np.where((high < 0) & (high > -tiny), 0.0, high)
    return Enclosure(exact.value, low, high)


def flushed_sums(exact: Enclosure, dtype: str, terms: int) -> Enclosure:
    """Sums of so many terms, of which those below the smallest normal number may be zero: an addition loses no more."""
    lost = (terms + 1) * smallest_normal(dtype)
    return hull(_floats(exact.value), _floats(exact.low) - lost, _floats(exact.high) + lost)


def _toward(edge: Floats, dtype: str, ulps: float, sign: float) -> Floats:
    """An edge of an interval, moved outward by the error of an operation."""
    near = nearest(edge, dtype)
    outer: Floats = np.minimum(edge, near) if sign < 0 else np.maximum(edge, near)
    if ulps <= 0.5 and dtype != "f64":
        return outer
    # In f64 the golden value has rounding errors of its own; hence twice the bound. A result of 0 is exact.
    moved = edge + sign * (2.0 if dtype == "f64" else 1.0) * ulps * ulp(edge, dtype)
    inexact = edge != 0 if dtype == "f64" else near != edge
    whole = np.isfinite(edge) & (inexact | (ulps > 0.5))
    with np.errstate(invalid="ignore"):
        return np.where(whole, np.minimum(outer, moved) if sign < 0 else np.maximum(outer, moved), outer)


def nearest(values: Floats, dtype: str) -> Floats:
    """Rounded to nearest even in `dtype`; float64 out."""
    match dtype:
        case "f64":
            return values
        case "f32":
            with np.errstate(over="ignore"):
                return values.astype(np.float32).astype(np.float64)
    return np.asarray(round_to(values, dtype), dtype=np.float64)


def ulp(values: Floats, dtype: str) -> Floats:
    """The spacing of `dtype`'s numbers at |values|, the subnormal spacing near zero; 0 at infinities and NaN."""
    finite = np.where(np.isfinite(values), values, 0.0)
    minimum = _minimum_exponent(dtype)
    exponent = np.where(finite == 0, minimum, np.frexp(finite)[1] - 1)  # frexp gives 0 the exponent of 1/2
    return np.where(np.isfinite(values), np.ldexp(DTYPES[dtype].epsilon, np.maximum(exponent, minimum)), 0.0)


def smallest_normal(dtype: str) -> float:
    return float(np.ldexp(1.0, _minimum_exponent(dtype)))


def _minimum_exponent(dtype: str) -> int:
    return {"f64": -1022, "f32": -126, "bf16": -126, "f16": -14, "f8e4m3": -6, "f8e5m2": -14}[dtype]


def _floats(array: Array) -> Floats:
    return array.astype(np.float64, copy=False)


def _both_nan(a: Array, b: Array) -> NDArray[np.bool_]:
    if a.dtype.kind != "f":
        return np.zeros(np.broadcast_shapes(a.shape, b.shape), dtype=bool)
    both: NDArray[np.bool_] = np.isnan(a) & np.isnan(b)
    return both


def add(a: Enclosure, b: Enclosure) -> Enclosure:
    with np.errstate(all="ignore"):
        value = _floats(a.value) + _floats(b.value)
        low, high = _floats(a.low) + _floats(b.low), _floats(a.high) + _floats(b.high)
    silent = np.isnan(value)
    low = np.where(np.isnan(low) & ~silent, -np.inf, low)  # -inf + inf: an overflow that may or may not happen
    high = np.where(np.isnan(high) & ~silent, np.inf, high)
    return Enclosure(value, low, high)


def negate(a: Enclosure) -> Enclosure:
    return Enclosure(-_floats(a.value), -_floats(a.high), -_floats(a.low))


def multiply(a: Enclosure, b: Enclosure) -> Enclosure:
    with np.errstate(all="ignore"):
        value = _floats(a.value) * _floats(b.value)
        return hull(value, *(_floats(x) * _floats(y) for x in (a.low, a.high) for y in (b.low, b.high)))


def square(a: Enclosure) -> Enclosure:
    """a * a, which is never negative, as the product of two intervals that reach over 0 may be."""
    product = multiply(a, a)
    return Enclosure(product.value, np.where(product.low < 0, 0.0, product.low), product.high)


def divide(a: Enclosure, b: Enclosure) -> Enclosure:
    """a / b. A divisor whose interval reaches zero from one side makes the quotient infinite on that side; one that may be
    of either sign makes it unbounded."""
    with np.errstate(all="ignore"):
        value = _floats(a.value) / _floats(b.value)
        below = np.where((b.high == 0) & (b.low < 0), -0.0, _floats(b.high))
        above = np.where((b.low == 0) & (b.high > 0), 0.0, _floats(b.low))
        bounds = hull(value, *(_floats(x) / y for x in (a.low, a.high) for y in (above, below)))
        either = (b.low < 0) & (b.high > 0)
    return Enclosure(value, np.where(either, -np.inf, bounds.low), np.where(either, np.inf, bounds.high))


def maximum(a: Enclosure, b: Enclosure) -> Enclosure:
    return Enclosure(np.maximum(a.value, b.value), np.maximum(a.low, b.low), np.maximum(a.high, b.high))


def minimum(a: Enclosure, b: Enclosure) -> Enclosure:
    return Enclosure(np.minimum(a.value, b.value), np.minimum(a.low, b.low), np.minimum(a.high, b.high))


def choose(condition: Enclosure, a: Enclosure, b: Enclosure) -> Enclosure:
    """select(condition, a, b); where rounding may turn the condition, either arm's values are admitted."""
    value = np.where(condition.value, a.value, b.value)
    if condition.low is condition.high and a.exact and b.exact:
        return point(value)
    low = np.where(condition.low, a.low, np.where(condition.high, np.minimum(a.low, b.low), b.low))
    high = np.where(condition.low, a.high, np.where(condition.high, np.maximum(a.high, b.high), b.high))
    return Enclosure(value, low, high)


def less(a: Enclosure, b: Enclosure, *, or_equal: bool = False) -> Enclosure:
    """a < b (or a <= b), and whether rounding may turn it."""
    if or_equal:
        return Enclosure(a.value <= b.value, a.high <= b.low, a.low <= b.high)
    return Enclosure(a.value < b.value, a.high < b.low, a.low < b.high)


def equal(a: Enclosure, b: Enclosure) -> Enclosure:
    value = a.value == b.value
    if a.exact and b.exact:
        return point(value)
    certain = (a.low == a.high) & (b.low == b.high) & (a.low == b.low)
    return Enclosure(value, certain, (a.low <= b.high) & (b.low <= a.high))
