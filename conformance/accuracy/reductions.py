"""Reductions of intervals, with the growth of error that a contract allows for any order of the terms."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray

from uol.conformance.accuracy.contracts import SumError
from uol.conformance.accuracy.interval import Array, Enclosure, Floats, hull, multiply, point, smallest_normal, ulp
from uol.conformance.accuracy.running import WHOLE, Over
from uol.ir.errors import UolError
from uol.ir.program.rounding import round_to
from uol.ir.types import DTYPES, integer_range, is_float

_SIGNIFICAND_BITS = {"f64": 53, "f32": 24}
_SELECTING = {"max": np.maximum, "min": np.minimum, "any": np.logical_or, "all": np.logical_and}


def fold(
    op: str,
    body: Enclosure,
    keep: Array | None,
    rank: int,
    dtype: str,
    growth: SumError,
    over: Over = WHOLE,
    *,
    may_be_exact: bool = True,
) -> Enclosure:
    """The reduction of all dimensions of `body` after the first `rank`; terms where `keep` is false do not count. Without
    `may_be_exact` sums that are not 0 are rounded, whatever their terms are."""
    terms = body.map(lambda a: flattened(a, rank))
    kept = None if keep is None else np.broadcast_to(keep, body.value.shape).reshape(terms.value.shape)
    identity = _identity(op, dtype)
    if kept is not None:
        terms = terms.map(lambda a: np.where(kept, a, identity))
    if op in _SELECTING:
        return terms.map(lambda a: over.fold(_SELECTING[op], a, identity))
    if not is_float(dtype):
        exactly = np.add if op == "sum" else np.multiply
        return point(_wrapped(over.fold(exactly, terms.value.astype(np.int64), identity), dtype))
    if op == "sum":
        return _sum(terms, dtype, growth, over, may_be_exact)
    return _product(terms, DTYPES[dtype].accumulator, growth.most, over)


def flattened(array: Array, rank: int) -> Array:
    """The array with all dimensions after the first `rank` as one."""
    return array.reshape(*array.shape[:rank], prod(array.shape[rank:]))


def argument_of_extremum(op: str, body: Enclosure, keep: Array | None, rank: int) -> Enclosure:
    """argmax or argmin: the first NaN, else the first extremum, as a linear index."""
    scores = flattened(body.value, rank)
    if keep is not None:
        kept = np.broadcast_to(keep, body.value.shape).reshape(scores.shape)
        scores = np.where(kept, scores, -np.inf if op == "argmax" else np.inf)
    if scores.shape[-1] == 0:
        raise UolError(f"{op} of nothing", hint="the operator's `where` excludes it")
    return point((np.argmax if op == "argmax" else np.argmin)(scores, axis=-1).astype(np.int64))


def _sum(terms: Enclosure, dtype: str, growth: SumError, over: Over, may_be_exact: bool) -> Enclosure:
    def added(values: Array) -> Array:
        return over.fold(np.add, values, 0.0)

    with np.errstate(all="ignore"):
        value = added(terms.value)
        magnitude = added(np.maximum(np.abs(terms.low), np.abs(terms.high)))
        exact = may_be_exact and terms.exact and sums_exactly(_beside(granules(terms.value), magnitude), magnitude, dtype)
        if np.all(exact):
            return point(value)
        steps = np.maximum(over.count(terms.value) - 1, 0)
        squares = added(terms.value**2) if growth.typical is not None else np.zeros(())
        error = spread(growth, steps, Size(magnitude, value, squares), dtype)
        error = np.where(exact, 0.0, error)
        low = added(terms.low) - error
        no_order_is_negative = over.fold(np.logical_and, terms.low >= 0, True)
        low = np.where(no_order_is_negative, np.maximum(low, 0.0), low)
        return hull(value, low, added(terms.high) + error)


def _beside(grain: Floats, magnitude: Array) -> Floats:
    """The grain of each row, for the one sum of it or for those up to each of its places."""
    return grain[..., None] if magnitude.ndim > grain.ndim else grain


def scatter(terms: Enclosure, at: tuple[Array, ...], shape: tuple[int, ...], dtype: str, growth: SumError) -> Enclosure:
    """Zeros of that shape with every term added at its place. A sum's error grows with the number of its own terms."""
    if not is_float(dtype):
        integers = np.zeros(shape, np.int64)
        np.add.at(integers, at, terms.value)
        return point(_wrapped(integers, dtype))
    value, low, high, magnitude, count, squares = (np.zeros(shape, np.float64) for _ in range(6))
    with np.errstate(all="ignore"):
        largest = np.maximum(np.abs(terms.low), np.abs(terms.high))
        edges = ((value, terms.value), (low, terms.low), (high, terms.high))
        for total, part in (*edges, (magnitude, largest), (count, 1.0), (squares, terms.value**2)):
            np.add.at(total, at, part)
        exact = terms.exact and sums_exactly(granules(terms.value.reshape(-1)), magnitude, dtype)
        if np.all(exact):
            return point(value)
        error = spread(growth, np.maximum(count - 1, 0), Size(magnitude, value, squares), dtype)
        error = np.where(exact, 0.0, error)
        return hull(value, low - error, high + error)


@dataclass(frozen=True, slots=True)
class Size:
    """How large a sum is: the sum of its terms' magnitudes, the sum itself, the sum of their squares."""

    magnitude: Floats
    total: Floats
    squares: Floats


def spread(growth: SumError, steps: int | Array, size: Size, dtype: str) -> Floats:
    """The error of `steps` additions; in f64 twice, because the golden sum has rounded too. Infinite sums have none."""
    error = growth.most * steps * size.magnitude
    if growth.typical is not None:
        drift = growth.drift * steps * np.sqrt(size.total**2 / 3 + size.squares / 6)
        error = np.minimum(error, growth.typical * np.sqrt(steps * (size.total**2 + size.squares)) + drift)
        error = error + growth.factor * (np.abs(size.total) + np.sqrt(size.squares))
    error = error * (2.0 if dtype == "f64" else 1.0)
    return np.where(np.isfinite(error), error, 0.0)


def _product(terms: Enclosure, dtype: str, growth: float, over: Over) -> Enclosure:
    count = over.count(terms.value)
    with np.errstate(all="ignore"):
        result = point(over.fold(np.multiply, terms.value, 1.0)) if terms.exact else over.fold_enclosures(multiply, terms, 1.0)
        margin = growth * count
        result = hull(result.value, *(edge * (1 + sign * margin) for edge in (result.low, result.high) for sign in (-1, 1)))
        lost = count * _lost_of_a_product(terms, dtype, over)
        low, high = result.low - lost, result.high + lost  # but rounding turns no sign
    low, high = np.where(result.low >= 0, np.maximum(low, 0.0), low), np.where(result.high <= 0, np.minimum(high, 0.0), high)
    return Enclosure(result.value, low, high)


def _lost_of_a_product(terms: Enclosure, dtype: str, over: Over) -> Floats:
    """What one partial product of a row, in the order that is worst for it, may lose by being subnormal: half the spacing of
    such numbers, times all the factors above 1 that come after it. Nothing where no order has one, or a factor is 0."""
    sizes = np.maximum(np.abs(terms.low), np.abs(terms.high))
    least = over.fold(np.multiply, np.minimum(sizes, 1.0), 1.0)
    lost = ulp(np.zeros(()), dtype) / 2 * over.fold(np.multiply, np.maximum(sizes, 1.0), 1.0)
    none = (least >= smallest_normal(dtype)) | over.fold(np.logical_or, sizes == 0, False) | ~np.isfinite(lost)
    return np.where(none, 0.0, lost)


EXPONENTS = (0, 2, 4, 8, 10, 11, 12, 39)
"""Of the powers of two below 1 that values may be multiples of: of small fractions, and of the inputs of kind `wide`."""


def granules(values: Array) -> Floats:
    """By row, the last dimension: a power of two that divides all its values, or 0 where there is no large one."""
    rows = values.shape[:-1]
    if values.dtype.kind != "f":
        return np.ones(rows)
    found = np.zeros(rows)
    with np.errstate(all="ignore"):
        for exponent in EXPONENTS:
            if (found > 0).all():
                break
            scaled = values * 2.0**exponent
            divides = (np.isfinite(values) & (scaled == np.rint(scaled))).all(axis=-1)
            found = np.where((found == 0) & divides, 2.0**-exponent, found)
    return found


def sums_exactly(grain: Array, magnitude: Array, dtype: str) -> NDArray[np.bool_]:
    """Element by element: are all partial sums of multiples of `grain`, whose magnitudes add up to `magnitude`, representable?
    None is where there is no grain (0)."""
    bits = _SIGNIFICAND_BITS[DTYPES[dtype].accumulator]
    with np.errstate(invalid="ignore"):
        return np.asarray((grain > 0) & (magnitude <= grain * 2.0**bits))


def _identity(op: str, dtype: str) -> float | int | bool:
    match op:
        case "sum":
            return 0
        case "prod":
            return 1
        case "any":
            return False
        case "all":
            return True
    low, high = (-np.inf, np.inf) if is_float(dtype) else integer_range(dtype)
    return low if op == "max" else high


def _wrapped(values: Array, dtype: str) -> Array:
    return np.asarray(round_to(values, dtype))
