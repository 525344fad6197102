"""The comparators: is a result what the contract admits? They fail on NaN, infinities, shapes, types and emptiness.

`not (error <= bound)` and never `error > bound`: a NaN must not pass.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import floor, isfinite

import numpy as np
from numpy.typing import NDArray

from uol.conformance.accuracy.interval import Array, Enclosure, Floats, nearest, point, smallest_normal, ulp
from uol.conformance.accuracy.sorts_under_rounding import Ordered
from uol.ir.program.dtype_encoding import STORAGE, decode
from uol.ir.types import is_float


@dataclass(frozen=True, slots=True)
class Comparison:
    """What a comparator saw. `ok` is the verdict, `reason` says why not.

    max_abs    largest |result - golden|
    max_rel    largest error relative to |golden|, over the normal numbers of the result's type
    max_ulp    largest error in units in the last place of the result's type
    share      largest error as a share of what is admitted: above 1 is a breach. An element that is the golden value,
               rounded to the type, has no share: nothing nearer can be held
    rms        root of the mean square of errors as shares of what is typical (contracts.toml): above 1 is a breach
    scale      largest |golden|, infinities left out
    worst      where the largest share is
    note       what else is to be said of a result that is right
    """

    ok: bool
    reason: str
    elements: int
    max_abs: float = 0.0
    max_rel: float = 0.0
    max_ulp: float = 0.0
    share: float = 0.0
    rms: float = 0.0
    scale: float = 0.0
    worst: tuple[int, ...] = ()
    note: str = ""

    @property
    def scaled(self) -> float:
        """The largest error relative to the largest value."""
        return self.max_abs / self.scale if self.scale else self.max_abs

    @property
    def nearness(self) -> str:
        """How near a result is that is within the contract: equal to the golden value; that value rounded to the type; one of
        the two numbers of the type beside it; else its error as a share of what is admitted."""
        if self.note:
            return self.note
        if self.share == 0:
            return "equal" if self.max_abs == 0 else "correctly rounded"
        if 0 < self.max_ulp < 1:
            return "faithfully rounded"
        if not isfinite(self.share):
            return "an error where none is admitted"
        return "at its bound" if self.share == 1 else f"{floor(1000 * self.share) / 10:.1f}%"

    @property
    def said(self) -> str:
        """`nearness`, where nothing beside it says what a share is of."""
        return f"{self.nearness} of what is admitted" if self.nearness.endswith("%") else self.nearness


Owed = tuple[str, Array]
"""Who says what a result has to be, and what that is."""


def compare(actual: Array, admitted: Enclosure, dtype: str, owed_by: str = "golden") -> Comparison:
    """A buffer of `dtype` against admitted values: within the interval, rounded outward to `dtype` (half an ulp for the
    last cast). NaN exactly where the value that is owed is NaN. `owed_by`: what has that value, for the message."""
    fault = _form(actual, admitted.value.shape, dtype)
    if fault is not None:
        return fault
    if actual.size == 0:
        return Comparison(True, "", 0)
    if is_float(dtype):
        return _floats(actual, admitted, dtype, owed_by)
    return _integers(decode(actual, dtype), admitted, owed_by)


def held_to_typical(found: Comparison, actual: Array, typical: Enclosure, dtype: str) -> Comparison:
    """What a comparator found, with the RMS of the errors as shares of what is typical. An element that is the golden value,
    rounded to the type, has no share; neither has one that is not finite."""
    if not (found.ok and actual.size and is_float(dtype)):
        return found
    values, golden = decode(actual, dtype).astype(np.float64), typical.value.astype(np.float64)
    low, high = _outward(typical, dtype)
    with np.errstate(all="ignore"):
        allowed = np.where(values > golden, high - golden, golden - low)
        counts = (values != nearest(golden, dtype)) & np.isfinite(values) & np.isfinite(golden)
        share = np.where(counts, np.abs(values - golden) / allowed, 0.0)
    rms = float(np.sqrt(np.mean(share**2)))
    if rms <= 1:
        return replace(found, rms=rms)
    reason = f"each error is within the contract, but their RMS is {rms:.3g} of what is typical: factors or sums are too narrow"
    return replace(found, ok=False, reason=reason, rms=rms)


def compare_picks(actual: Array, golden: Array, scores: Enclosure, dtype: str, owed_by: str = "golden") -> Comparison:
    """Places of extrema (argmax), judged by the score that they picked: the golden place where scores are exact, else any
    place whose score rounding may make the largest. The candidates are the last dimension of `scores`."""
    fault = _form(actual, golden.shape, dtype)
    if fault is not None:
        return fault
    if actual.size == 0:
        return Comparison(True, "", 0)
    picks, candidates = decode(actual, dtype), scores.value.shape[-1]
    outside = (picks < 0) | (picks >= candidates)
    if outside.any():
        return _failed("a place outside the row", picks, (owed_by, golden), outside)
    high = np.take_along_axis(scores.high, picks[..., None], -1)[..., 0]
    fuzzy = (scores.low != scores.high).any(-1) & ~np.isnan(scores.value).any(-1)
    wrong = np.where(fuzzy, ~(high >= scores.low.max(-1)), picks != golden)
    if wrong.any():
        return _failed("not the first of the largest scores", picks, (owed_by, golden), wrong)
    return _picked(picks, golden)


def compare_order(actual: Array, golden: Array, ordered: Ordered, dtype: str, owed_by: str = "golden") -> Comparison:
    """Places of a sort, judged by the values that they picked; no element may stand at two places of a row."""
    fault = _form(actual, golden.shape, dtype)
    if fault is not None:
        return fault
    if actual.size == 0:
        return Comparison(True, "", 0)
    picks, candidates = decode(actual, dtype), ordered.body.value.shape[-1]
    outside = (picks < 0) | (picks >= candidates)
    if outside.any():
        return _failed("a place outside the row", picks, (owed_by, golden), outside)
    wrong = ordered.wrong(picks, golden)
    if wrong.any():
        return _failed("not in order", picks, (owed_by, golden), wrong)
    return _picked(picks, golden)


def _picked(picks: Array, golden: Array) -> Comparison:
    """Places that are right, though they need not be the golden ones."""
    others = int((picks != golden).sum())
    return Comparison(True, "", picks.size, note=f"{others} other places, as good" if others else "")


def same(actual: Array, expected: Array, dtype: str, ulps: float = 0.0) -> Comparison:
    """Two buffers of one type, `ulps` apart at most; NaN equals NaN."""
    fault = _form(expected, expected.shape, dtype) or _form(actual, expected.shape, dtype)
    if fault is not None:
        return fault
    value = decode(expected, dtype)
    margin = ulps * ulp(value, dtype) if is_float(dtype) and ulps else 0.0
    admitted = Enclosure(value, value - margin, value + margin) if ulps else point(value)
    return compare(actual, admitted, dtype)


def _form(actual: Array, shape: tuple[int, ...], dtype: str) -> Comparison | None:
    """What is wrong with a result before its values are looked at."""
    if not isinstance(actual, np.ndarray):
        return Comparison(False, f"no array but {type(actual).__name__}", 0)
    if actual.dtype != STORAGE[dtype]:
        return Comparison(False, f"elements are {actual.dtype}, a buffer of {dtype} holds {np.dtype(STORAGE[dtype])}", 0)
    if actual.shape != shape:
        empty = "empty: " if actual.size == 0 else ""
        return Comparison(False, f"{empty}shape {actual.shape}, expected {shape}", actual.size)
    return None


def _floats(actual: Array, admitted: Enclosure, dtype: str, owed_by: str) -> Comparison:
    values = decode(actual, dtype).astype(np.float64)
    golden = admitted.value.astype(np.float64)
    low, high = _outward(admitted, dtype)
    owed_nan, is_nan, owed = np.isnan(golden), np.isnan(values), (owed_by, golden)
    if (is_nan & ~owed_nan).any():
        return _failed("NaN", values, owed, is_nan & ~owed_nan)
    if (owed_nan & ~is_nan).any():
        return _failed("no NaN where NaN is owed", values, owed, owed_nan & ~is_nan)
    unbounded = (np.isinf(low) & np.isinf(high) & (low != high)) | ((np.isnan(low) | np.isnan(high)) & ~owed_nan)
    if unbounded.any():
        return _failed("the contract says nothing here: inputs overflow the accumulator", values, owed, unbounded)
    inside = owed_nan | ((low <= values) & (values <= high))
    figures = _figures(values, golden, low, high, dtype)
    if not inside.all():
        lost = np.isinf(golden) != np.isinf(values)
        what = "infinity" if (lost & ~inside).any() else "beyond the contract"
        return _failed(what, values, owed, ~inside, figures)
    return figures


def _outward(admitted: Enclosure, dtype: str) -> tuple[Floats, Floats]:
    """The edges of what is admitted, rounded outward to the result's type."""
    low, high = (np.asarray(e, dtype=np.float64) for e in (admitted.low, admitted.high))
    return np.minimum(low, nearest(low, dtype)), np.maximum(high, nearest(high, dtype))


def _figures(values: Floats, golden: Floats, low: Floats, high: Floats, dtype: str) -> Comparison:
    """The errors of a result, infinities that agree left out."""
    with np.errstate(all="ignore"):
        rounded = values == nearest(golden, dtype)
        agrees = (values == golden) | (np.isinf(values) & rounded)
        error = np.where(agrees, 0.0, np.abs(values - golden))
        error = np.where(np.isnan(golden) & np.isnan(values), 0.0, error)
        allowed = np.where(values > golden, high - golden, golden - low)
        share = np.where((error == 0) | rounded, 0.0, error / allowed)
        size = np.abs(golden)
        relative = np.where((size >= smallest_normal(dtype)) & np.isfinite(golden), error / size, 0.0)
        spacing = ulp(golden, dtype)
        in_ulp = np.where(spacing > 0, error / spacing, 0.0)
    share = np.where(np.isnan(share), np.inf, share)
    worst = np.unravel_index(int(np.argmax(share)), share.shape)
    return Comparison(
        True,
        "",
        values.size,
        max_abs=float(error.max()),
        max_rel=float(relative.max()),
        max_ulp=float(in_ulp.max()),
        share=float(share.max()),
        scale=float(np.where(np.isfinite(size), size, 0.0).max()),
        worst=tuple(int(i) for i in worst),
    )


def _integers(values: Array, admitted: Enclosure, owed_by: str) -> Comparison:
    inside = (admitted.low <= values) & (values <= admitted.high)
    if not inside.all():
        return _failed("wrong integer", values, (owed_by, admitted.value), ~inside)
    return Comparison(True, "", values.size)


def _failed(what: str, values: Array, owed: Owed, where: NDArray[np.bool_], figures: Comparison | None = None) -> Comparison:
    first = tuple(int(i) for i in np.argwhere(where)[0]) if where.ndim else ()
    name, right = owed
    reason = f"{what} at {list(first)}: {values[first]!s}, {name} {right[first]!s} ({int(where.sum())} of {where.size})"
    if figures is None:
        return Comparison(False, reason, values.size, worst=first)
    return replace(figures, ok=False, reason=reason)
