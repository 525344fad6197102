"""Folds across lanes: n lanes to one value, as eight equal lanes.

    lanes beyond whole repeats are folded into the first ones, whole repeats to one value each (WholeReduce*), and so on; the
    last repeat is folded again and again, which makes equal lanes

WholeReduceMax and Min are given numbers only: NaN is taken out, folded on its own by a sum (0 or NaN a lane), and added back.
argmax: the least index among the lanes that hold the extremum, or among the NaN.
"""

from __future__ import annotations

from math import inf

from uol.backends.ascendc.arithmetic.min_max import is_number
from uol.backends.ascendc.instructions import Buffer, View
from uol.backends.ascendc.machine import MAX_REPEATS
from uol.backends.ascendc.vector.folds import CALLS, INDEXED, LOGICAL, Accumulator
from uol.backends.ascendc.vector.tile import LANES, REPEAT_LANES, UNIFORM
from uol.backends.ascendc.vector.unit import VectorUnit
from uol.backends.ascendc.vector.values import Lanes, Unsupported, real

WHOLE = {"sum": "WholeReduceSum", "max": "WholeReduceMax", "min": "WholeReduceMin"}
PAIRWISE = {"sum": "Add", "max": "Max", "min": "Min"}
LEAST = {"max": -inf, "min": inf}
NO_INDEX = 3.0e7
"""More than any index (they are below 2**24)."""


def across(unit: VectorUnit, total: Accumulator, lanes: int) -> Lanes:
    """The fold of the first lanes of an accumulator, which is used up. A fold of argmax or argmin gives the index."""
    if total.op in INDEXED:
        return _index_across(unit, total, lanes)
    if total.lanes.dtype != "f32":
        raise Unsupported(
            f"{total.op} of {total.lanes.dtype} across lanes: the vector unit reduces f32 only",
            "fold as f32, or along an axis that is not the last",
        )
    if total.op in LOGICAL:
        return reduced(unit, LOGICAL[total.op].lower(), total.lanes, lanes)
    if total.op in CALLS:
        if total.op not in WHOLE:
            raise Unsupported(
                f"{total.op} across lanes: the vector unit has no such reduction", "fold along an axis that is not the last"
            )
        return reduced(unit, total.op, total.lanes, lanes)
    values = total.lanes.kept()
    numbers = is_number(unit, values)
    zero = unit.duplicate(real(0.0), values.span, "f32", "nan_or_zero")
    nan = reduced(unit, "sum", unit.select(numbers, zero, values), lanes)
    extremum = reduced(unit, total.op, unit.select(numbers, values, real(LEAST[total.op])), lanes)
    return unit.binary("Add", extremum, nan)


def _index_across(unit: VectorUnit, total: Accumulator, lanes: int) -> Lanes:
    values, index = total.lanes.kept(), total.index
    assert index is not None
    op = INDEXED[total.op]
    is_valid = is_number(unit, values)
    numbers = unit.select(is_valid, values, real(LEAST[op])).kept()
    best = unit.broadcast(reduced(unit, op, numbers, lanes), LANES)
    score = unit.select(unit.compare("EQ", numbers, best), unit.duplicate(real(1.0), LANES, "f32", "score"), real(0.0))
    score = unit.select(is_valid, score, real(2.0)).kept()  # 2: NaN, 1: the extremum, 0: neither
    top = unit.broadcast(reduced(unit, "max", score, lanes), LANES)
    candidates = unit.select(unit.compare("EQ", score, top), index.kept(), real(NO_INDEX))
    return reduced(unit, "min", candidates, lanes)


def reduced(unit: VectorUnit, op: str, values: Lanes, lanes: int) -> Lanes:
    """One value of the first lanes."""
    view = values.view
    if not values.spare and _overwrites(lanes):
        view = unit.copy(values, "work").view
    while lanes > REPEAT_LANES:
        repeats, rest = divmod(lanes, REPEAT_LANES)
        if repeats > MAX_REPEATS:
            view, lanes = _halved(unit, op, view, lanes)
            continue
        if rest:
            tail = view.at(str(repeats * REPEAT_LANES))
            unit.emit(f"{PAIRWISE[op]}({view}, {view}, {tail}, {rest});", (view, tail), (view,))
        partial = unit.builder.buffer(Buffer("partial", "f32", repeats))
        order = "" if op == "sum" else ", ReduceOrder::ORDER_ONLY_VALUE"
        amount = (str(REPEAT_LANES), str(repeats))
        unit.emit(f"{WHOLE[op]}({partial}, {view}, {REPEAT_LANES}, {repeats}, 1, 1, 8{order});", (view,), (partial,), amount)
        view, lanes = partial, repeats
    result = unit.new(UNIFORM, "f32", f"{op}_all")
    equal = unit.frame.elements(UNIFORM)[0]
    order = "" if op == "sum" else ", ReduceOrder::ORDER_ONLY_VALUE"
    amount = (str(lanes), str(equal))
    unit.emit(f"{WHOLE[op]}({result}, {view}, {lanes}, {equal}, 1, 1, 0{order});", (view,), (result,), amount)
    return Lanes(result, UNIFORM)


def _overwrites(lanes: int) -> bool:
    """Are lanes folded into others before a repeat of its own gives their value?"""
    repeats, rest = divmod(lanes, REPEAT_LANES)
    return lanes > REPEAT_LANES and (rest > 0 or repeats > MAX_REPEATS)


def _halved(unit: VectorUnit, op: str, view: View, lanes: int) -> tuple[View, int]:
    half = (lanes // 2 + REPEAT_LANES - 1) // REPEAT_LANES * REPEAT_LANES
    upper = view.at(str(half))
    unit.emit(f"{PAIRWISE[op]}({view}, {view}, {upper}, {lanes - half});", (view, upper), (view,))
    return view, half
