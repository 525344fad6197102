"""Is a result what its contract admits? The rule of uol's own comparators, on bounds from when the pack was made.

An element of floats is right where low <= value <= high, the bounds being numbers of its own type; NaN is right where the
golden value is NaN, and nowhere else. A place (of an extremum, of a sort) is right where it is one that rounding may pick.

A case owes one of several alternatives, as a gradient does: to be near autograd's values by their scale, or by the contract.
All of its results must be within the same one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf

import numpy as np

from uol.conformance.packs.runner.numbers import LEAST_EXPONENT, STORAGE, Array, decoded, is_float, nearest, spacing


@dataclass(frozen=True, slots=True)
class Bounds:
    """Of one result. Of places: `places` says which candidates are admitted, in a further dimension at the end; `distinct` is
    the dimension along which none may stand twice, -1 where each may."""

    low: Array | None = None
    high: Array | None = None
    places: Array | None = None
    distinct: int = -1


@dataclass(frozen=True, slots=True)
class Owed:
    """What a result of `dtype` is judged by; `golden` as float64, or as the integers that it is of."""

    name: str
    dtype: str
    golden: Array
    alternatives: Sequence[Bounds]


@dataclass(frozen=True, slots=True)
class Seen:
    """What the judge saw of a result, or of all of a case. `ok` is the verdict, `reason` says why not.

    max_abs, max_rel, max_ulp   the largest error: as it is, relative to the golden value (where that is a normal number), in
                                units in the last place
    share    the largest error as a share of what is admitted in numbers of the type; 0 of an element that is the golden value,
             rounded, infinite where no other is admitted on that side
    worst    where that is
    """

    ok: bool
    reason: str
    elements: int
    max_abs: float = 0.0
    max_rel: float = 0.0
    max_ulp: float = 0.0
    share: float = 0.0
    worst: tuple[int, ...] = ()


def judged(results: Mapping[str, Array], owed: Sequence[Owed]) -> Seen:
    """The verdict on a case: of its alternatives the first that all results are within, else the first."""
    count = min(len(each.alternatives) for each in owed)
    found = [_together(_of_result(results.get(o.name), o, number) for o in owed) for number in range(count)]
    return next((seen for seen in found if seen.ok), found[0])


def _together(seen: Iterable[Seen]) -> Seen:
    """All results as one: the first that fails, else the one nearest to its bound."""
    each = list(seen)
    wrong = [s for s in each if not s.ok]
    return wrong[0] if wrong else max(each, key=lambda s: s.share)


def _of_result(actual: Array | None, owed: Owed, alternative: int) -> Seen:
    if actual is None:
        return Seen(False, f"there is no result {owed.name}", 0)
    if actual.dtype != STORAGE[owed.dtype] or actual.shape != owed.golden.shape:
        had = f"{actual.dtype} {actual.shape}"
        return Seen(False, f"{owed.name} is {had}, expected {np.dtype(STORAGE[owed.dtype])} {owed.golden.shape}", actual.size)
    if actual.size == 0:
        return Seen(True, "", 0)
    bounds, values = owed.alternatives[alternative], decoded(actual, owed.dtype)
    if bounds.places is not None:
        return _of_places(values, owed, bounds.places, bounds.distinct)
    assert bounds.low is not None and bounds.high is not None
    low, high = (decoded(edge, owed.dtype) for edge in (bounds.low, bounds.high))
    if is_float(owed.dtype):
        return _of_floats(values, owed, low, high)
    return _unless(~((low <= values) & (values <= high)), "wrong integer", values, owed, Seen(True, "", values.size))


def _of_floats(values: Array, owed: Owed, low: Array, high: Array) -> Seen:
    owed_nan, is_nan = np.isnan(owed.golden), np.isnan(values)
    none = Seen(True, "", values.size)
    for what, wrong in (("NaN", is_nan & ~owed_nan), ("no NaN where NaN is owed", owed_nan & ~is_nan)):
        if wrong.any():
            return _unless(wrong, what, values, owed, none)
    outside = ~(owed_nan | ((low <= values) & (values <= high)))
    lost = (np.isinf(owed.golden) != np.isinf(values)) & outside
    figures = _figures(values, owed, low, high)
    return _unless(outside, "infinity" if lost.any() else "beyond the contract", values, owed, figures)


def _figures(values: Array, owed: Owed, low: Array, high: Array) -> Seen:
    """The errors of a result, infinities that agree left out."""
    golden, dtype = owed.golden, owed.dtype
    with np.errstate(all="ignore"):
        is_nearest = values == nearest(golden, dtype)
        agrees = (values == golden) | (np.isinf(values) & is_nearest) | (np.isnan(golden) & np.isnan(values))
        error = np.where(agrees, 0.0, np.abs(values - golden))
        allowed = np.maximum(np.where(values > golden, high - golden, golden - low), 0.0)
        share = np.where((error == 0) | is_nearest, 0.0, error / allowed)
        size = np.abs(golden)
        is_normal = (size >= 2.0 ** LEAST_EXPONENT[dtype]) & np.isfinite(golden)
        relative = np.where(is_normal, error / size, 0.0)
        in_ulp = np.where(np.isfinite(golden), error / spacing(golden, dtype), 0.0)
    share = np.where(np.isnan(share), inf, share)
    worst = tuple(int(i) for i in np.unravel_index(int(np.argmax(share)), share.shape))
    figures = (float(error.max()), float(relative.max()), float(in_ulp.max()), float(share.max()))
    return Seen(True, "", values.size, *figures, worst)


def _of_places(picks: Array, owed: Owed, places: Array, distinct: int) -> Seen:
    candidates = places.shape[-1]
    none = Seen(True, "", picks.size)
    outside = (picks < 0) | (picks >= candidates)
    if outside.any():
        return _unless(outside, "a place outside the row", picks, owed, none)
    wrong = ~np.take_along_axis(places, picks[..., None], -1)[..., 0]
    if distinct >= 0:
        ordered = np.sort(np.moveaxis(picks, distinct, -1), axis=-1)
        twice = (ordered[..., 1:] == ordered[..., :-1]).any(-1, keepdims=True)
        wrong = wrong | np.moveaxis(np.broadcast_to(twice, ordered.shape), -1, distinct)
    return _unless(wrong, "a place that rounding does not pick", picks, owed, none)


def _unless(wrong: Array, what: str, values: Array, owed: Owed, figures: Seen) -> Seen:
    """The figures, as a failure where anything is wrong."""
    if not wrong.any():
        return figures
    first = tuple(int(i) for i in np.argwhere(wrong)[0]) if wrong.ndim else ()
    place = f"{owed.name}{list(first)}"
    reason = f"{what} at {place}: {values[first]!s}, golden {owed.golden[first]!s} ({int(wrong.sum())} of {wrong.size})"
    return replace(figures, ok=False, reason=reason, worst=first)
