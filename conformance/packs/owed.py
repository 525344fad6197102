"""What a case owes, as bounds that need nothing but numpy to be held: those of uol's own judge (`cases/twin_check.py`).

    within the contract around the golden value, and
        of an operator   within as much around the reference's value
        of a gradient    within that, or near autograd's value by the scale of all

The RMS of all errors, which the judge bounds as well (`Truth.typical`), is not among them.

The judge rounds an interval outward where that is nearer: it takes min(low, nearest(low)) to max(high, nearest(high)). The
least of the type's numbers among them is nearest(low), the greatest nearest(high): so are the bounds stored.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from uol.conformance.accuracy.error_analysis import Enclosed
from uol.conformance.accuracy.interval import Array, Enclosure, Floats, nearest, ulp
from uol.conformance.accuracy.interval_shift import around
from uol.conformance.accuracy.sorts_under_rounding import Ordered
from uol.conformance.cases.truth import Truth
from uol.conformance.cases.twin_check import Prepared
from uol.conformance.gradients.cases import admitted_by_scale
from uol.conformance.packs.runner.judge import Bounds, Owed, judged
from uol.ir.errors import UolError
from uol.ir.program.dtype_encoding import STORAGE, decode, encode
from uol.ir.program.nodes import Tensor
from uol.ir.program.rounding import round_to
from uol.ir.types import is_float
from uol.ops.references.gradients import forward_of


@dataclass(frozen=True, slots=True)
class _Interval:
    """Ends in float64 or int64, numbers of the result's type; NaN where the golden value is."""

    low: Array
    high: Array

    def within(self, other: _Interval) -> _Interval:
        return _Interval(np.maximum(self.low, other.low), np.minimum(self.high, other.high))


def owed_of(prepared: Prepared, truth: Truth) -> list[Owed]:
    """What each result is judged by. Raises UolError where the golden value itself would not be taken."""
    admitted, independent = truth.admitted(prepared), truth.reference(prepared)
    results = prepared.program.by_role("out")
    inputs = None if forward_of(prepared.case.op) is None else tuple(prepared.values.values())
    owed = _needed([_owed(t, admitted, independent, inputs) for t in results])
    golden = {each.name: _stored(each.golden, each.dtype) for each in owed}
    if not (seen := judged(golden, owed)).ok:
        raise UolError(f"the golden value does not fit the bounds: {seen.reason}")
    return owed


def _needed(owed: list[Owed]) -> list[Owed]:
    """Without the alternatives within which no result is that is not within another one."""
    count = len(owed[0].alternatives)
    kept = list(range(count))
    for number in reversed(range(count)):
        others = [other for other in kept if other != number]
        if any(all(_covers(o, other, number) for o in owed) for other in others):
            kept.remove(number)
    return [replace(o, alternatives=[o.alternatives[number] for number in kept]) for o in owed]


def _covers(owed: Owed, wide: int, narrow: int) -> bool:
    """Is every result within the one alternative within the other, too? Where NaN is owed, bounds decide nothing."""
    bounds = [owed.alternatives[number] for number in (wide, narrow)]
    edges = [edge for each in bounds for edge in (each.low, each.high) if edge is not None]
    if len(edges) < 4:
        return False
    low, high, other_low, other_high = (decode(edge, owed.dtype) for edge in edges)
    anything = np.isnan(owed.golden) if is_float(owed.dtype) else np.zeros((), bool)
    return bool((anything | ((low <= other_low) & (other_high <= high))).all())


def _owed(
    tensor: Tensor, admitted: Enclosed, independent: Mapping[str, Array] | None, inputs: Sequence[Array] | None
) -> Owed:
    """Of one result; `inputs`: those of a gradient."""
    dtype, enclosed = tensor.dtype, admitted.results[tensor.name]
    golden = np.array(enclosed.value, np.float64 if is_float(dtype) else STORAGE[dtype])
    value = None if independent is None else np.asarray(independent[tensor.name])
    alternatives: Sequence[Bounds]
    if tensor.name in admitted.scores or tensor.name in admitted.orders:
        alternatives = [_places(tensor.name, golden, admitted, value)]
    else:
        own = _rounded(enclosed, dtype)
        _require_alike(tensor.name, golden, value)
        every = [own] if value is None else [own.within(_rounded(around(value, enclosed, dtype), dtype))]
        if inputs is not None and value is not None:
            every.append(own.within(_by_scale(value, dtype, inputs)))
        alternatives = [Bounds(_stored(each.low, dtype), _stored(each.high, dtype)) for each in every]
    return Owed(tensor.name, dtype, golden, alternatives)


def _require_alike(name: str, golden: Array, value: Array | None) -> None:
    """Raises UolError where NaN is owed by the text and another value by the reference."""
    if value is not None and golden.dtype.kind == "f" and (np.isnan(golden) & ~np.isnan(value)).any():
        raise UolError(f"{name} is NaN by its text and a number by its reference")


def _rounded(owed: Enclosure, dtype: str) -> _Interval:
    """The interval in numbers of the type."""
    low, high = np.broadcast_arrays(owed.low, owed.high)
    if not is_float(dtype):
        least, most = _range(dtype)
        return _Interval(np.maximum(low.astype(np.int64), least), np.minimum(high.astype(np.int64), most))
    edges = [np.asarray(edge, np.float64) for edge in (low, high)]
    nowhere = np.isinf(edges[0]) & np.isinf(edges[1]) & (edges[0] != edges[1])
    if nowhere.any():
        raise UolError("the contract says nothing of some elements: inputs overflow the accumulator")
    return _Interval(*(nearest(edge, dtype) for edge in edges))


def _by_scale(value: Array, dtype: str, inputs: Sequence[Array]) -> _Interval:
    """All numbers of the type that are as near to autograd's value as is admitted by the largest one; any, where that is not
    finite in the type."""
    finite = np.isfinite(round_to(value, dtype))
    scale = float(np.max(np.abs(value[finite]), initial=0.0))
    admitted = admitted_by_scale(scale, dtype, inputs)
    low, high = (_innermost(np.where(finite, value, 0.0), sign * admitted, dtype) for sign in (-1.0, 1.0))
    return _Interval(np.where(finite, low, -np.inf), np.where(finite, high, np.inf))


def _innermost(value: Floats, offset: float, dtype: str) -> Floats:
    """The last number of the type that is no further from a value than an offset, on its side."""
    edge = nearest(value + offset, dtype)
    step = np.copysign(0.5001, offset) * ulp(edge, dtype)  # whose nearest number is the next one, by a power of two, too
    edge = np.where(np.abs(edge - value) <= abs(offset), edge, nearest(edge - step, dtype))
    further = nearest(edge + step, dtype)
    return np.where(np.abs(further - value) <= abs(offset), further, edge)


def _places(name: str, golden: Array, admitted: Enclosed, value: Array | None) -> Bounds:
    """Which candidates may be picked; of a reference that picks another place, those that both admit."""
    goldens = [golden] if value is None else [golden, value.astype(np.int64)]
    if name in admitted.scores:
        masks = [_extrema(each, admitted.scores[name]) for each in goldens]
        return Bounds(places=np.logical_and.reduce(masks))
    ordered = admitted.orders[name]
    masks = [_ordered(each, ordered) for each in goldens]
    return Bounds(places=np.logical_and.reduce(masks), distinct=ordered.place)


def _extrema(golden: Array, scores: Enclosure) -> Array:
    """As `compare_picks` has it."""
    fuzzy = (scores.low != scores.high).any(-1) & ~np.isnan(scores.value).any(-1)
    own = np.arange(scores.value.shape[-1]) == golden[..., None]
    mask: Array = np.where(fuzzy[..., None], scores.high >= scores.low.max(-1, keepdims=True), own)
    return mask


def _ordered(golden: Array, ordered: Ordered) -> Array:
    """As `Ordered.wrong` has it, of every candidate at every place, but for those that stand twice."""
    body, place = ordered.body, ordered.place
    last = np.moveaxis(golden, place, -1)
    owed = ordered.values(last.shape[-1]).map(lambda a: np.moveaxis(a, place, -1))
    fuzzy = (body.low != body.high).any(-1, keepdims=True) & ~np.isnan(body.value).any(-1, keepdims=True)
    low, high = (edge[..., None, :] for edge in (body.low, body.high))
    near = (high >= owed.low[..., None]) & (low <= owed.high[..., None])
    mask: Array = np.where(fuzzy[..., None], near, np.arange(low.shape[-1]) == last[..., None])
    return np.moveaxis(mask, -2, place)


def _stored(values: Array, dtype: str) -> Array:
    """As a buffer holds them."""
    return encode(values, dtype) if is_float(dtype) else np.asarray(values).astype(STORAGE[dtype])


def _range(dtype: str) -> tuple[int, int]:
    if dtype == "bool":
        return 0, 1
    limits = np.iinfo(np.dtype(STORAGE[dtype]))
    return int(limits.min), int(limits.max)
