"""Folds lane by lane: an accumulator over lanes, and how one more value goes into it.

sum and prod take Add and Mul. max and min propagate NaN by comparisons (min_max.py). argmax and argmin keep the value and its
index (exact in f32 below 2**24): a value replaces the kept one where it is greater, or where it is the first NaN.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import inf

from uol.backends.ascendc.arithmetic.casts import convert
from uol.backends.ascendc.arithmetic.min_max import INTEGER_CALL, RELATION
from uol.backends.ascendc.instructions import Buffer
from uol.backends.ascendc.vector.evaluate import COMPUTED, EXACT_IN_F32, Evaluator, stays_half
from uol.backends.ascendc.vector.predicates import joined, mask_of, ones, truth_of
from uol.backends.ascendc.vector.tile import Span
from uol.backends.ascendc.vector.unit import VectorUnit, scalar_text
from uol.backends.ascendc.vector.values import Lanes, Mask, Truth, Uniform, Unsupported, Value, int_text, real
from uol.codegen.specs.nodes import Fold

CALLS = {"sum": "Add", "prod": "Mul"}
IDENTITY = {"sum": 0.0, "prod": 1.0, "max": -inf, "min": inf, "any": 0.0, "all": 1.0, "argmax": -inf, "argmin": inf}
I32 = {"max": -(2**31), "min": 2**31 - 1}
INDEXED = {"argmax": "max", "argmin": "min"}
LOGICAL = {"any": "Max", "all": "Min"}


@dataclass(frozen=True, slots=True)
class Accumulator:
    """The state of one fold: values, and for argmax and argmin their indices."""

    op: str
    lanes: Lanes
    index: Lanes | None = None


def kind_of(step: Fold, over_rows: bool = False) -> str:
    """The type in which a fold is computed. Over rows, an extremum of what is read in f16 stays there."""
    if step.op in LOGICAL:
        return "f32"
    if over_rows and step.op in RELATION and stays_half(step.value):
        return "f16"
    dtype = step.value.type if step.op in INDEXED else step.dtype
    if dtype not in COMPUTED:
        large = " that may pass 32 bits" if dtype == "i64" else ""
        raise Unsupported(f"{step.op} of {dtype}{large}: the vector unit has no arithmetic on it", "fold as i32 or f32")
    if step.op not in INDEXED:
        return COMPUTED[dtype]
    if dtype == "i32":
        raise Unsupported(
            f"{step.op} of {dtype}: compared as f32, which does not hold every {dtype}", "fold an f32 or a 16-bit integer"
        )
    return "f32"


def identity(op: str, kind: str) -> Uniform:
    """What an empty fold gives."""
    if kind == "i32":
        number = I32.get(op, int(IDENTITY[op]) if op in ("sum", "prod") else 0)
        return Uniform(int_text(number), "i32", number)
    return real(IDENTITY[op])


def begin(unit: VectorUnit, step: Fold, span: Span, kind: str, name: str) -> Accumulator:
    """An accumulator that has folded nothing, in a buffer of the fold's name."""
    view = unit.builder.buffer(Buffer(name, kind, unit.frame.capacity(span)), reserved=True)
    unit.emit(f"Duplicate({view}, {scalar_text(identity(step.op, kind), kind)}, {unit.count(span)});", (), (view,))
    lanes = Lanes(view, span, spare=False)
    if step.op not in INDEXED:
        return Accumulator(step.op, lanes)
    return Accumulator(step.op, lanes, unit.duplicate(real(0.0), span, "f32", f"{name}_index").kept())


def folded_value(at: Evaluator, step: Fold, span: Span, kind: str) -> Lanes:
    """What is folded, in the fold's type: lanes over at least a span."""
    if step.op in LOGICAL:
        return ones(at, mask_of(at, truth_of(at, step.value), span))
    value: Value = at.value(step.value) if kind == "f16" else at.number(step.value)
    if isinstance(value, Lanes):
        value = convert(at.unit, value, kind)
    return at.lanes(value, kind, span)


def conditions(at: Evaluator, step: Fold) -> tuple[str, Mask | None]:
    """The conditions of a masked fold: C text of those that are uniform, and a mask of the others."""
    texts: list[str] = []
    mask: Truth | None = None
    for condition in step.where:
        truth = truth_of(at, condition)
        if isinstance(truth, Uniform):
            texts.append(truth.text)
            continue
        mask = truth if mask is None else joined(at, "and", mask, truth)
    assert not isinstance(mask, Uniform)
    return " && ".join(texts), mask


def masked(at: Evaluator, step: Fold, value: Lanes, mask: Mask | None) -> Lanes:
    """The value, or the identity where the mask says that it does not count."""
    if mask is None:
        return value
    value = at.unit.broadcast(value, mask.span | value.span)
    return at.unit.select(mask_of(at, mask, value.span), value, identity(step.op, value.dtype))


def fold_in(
    unit: VectorUnit, total: Accumulator, value: Lanes, index: Lanes | Uniform | None, count: str, mask: Mask | None = None
) -> None:
    """One more value (with its index): the accumulator is updated in its first `count` lanes."""
    acc = total.lanes
    value = unit.broadcast(value, acc.span).kept()
    if total.op in INDEXED:
        assert total.index is not None and index is not None
        _fold_index(unit, total, value, index, count, mask)
    elif total.op in CALLS or acc.dtype not in ("f32", "f16") or total.op in LOGICAL:
        unit.emit(f"{call_of(total)}({acc.view}, {acc.view}, {value.view}, {count});", (acc.view, value.view), (acc.view,))
    else:
        larger = unit.select(unit.compare(RELATION[total.op], acc, value), value, acc)
        _select_into(unit, acc, unit.compare("EQ", value, value), larger, value, count)


def call_of(total: Accumulator) -> str:
    """The instruction that folds two values, of a fold that one instruction does."""
    return CALLS.get(total.op) or LOGICAL.get(total.op) or INTEGER_CALL[total.op]


def _fold_index(
    unit: VectorUnit, total: Accumulator, value: Lanes, index: Lanes | Uniform, count: str, mask: Mask | None
) -> None:
    acc, kept = total.lanes, total.index
    assert kept is not None
    better = unit.compare(RELATION[INDEXED[total.op]], acc, value)
    first_nan = unit.bits("And", unit.bits("Not", unit.compare("EQ", value, value)), unit.compare("EQ", acc, acc))
    takes = unit.bits("Or", better, first_nan)
    if mask is not None:
        takes = unit.bits("And", takes, mask)
    new = index if isinstance(index, Lanes) else unit.duplicate(index, acc.span, "f32", "index")
    _select_into(unit, kept, takes, unit.broadcast(new, acc.span), kept, count)
    _select_into(unit, acc, takes, value, acc, count)


def _select_into(unit: VectorUnit, dst: Lanes, mask: Mask, a: Lanes, b: Lanes, count: str) -> None:
    unit.emit(
        f"Select({dst.view}, {mask.view}, {a.view}, {b.view}, SELMODE::VSEL_TENSOR_TENSOR_MODE, {count});",
        (mask.view, a.view, b.view),
        (dst.view,),
    )


def check_index(folds: Iterable[Fold], count: int) -> None:
    """Positions are counted in f32. Raises Unsupported where a fold asks for one beyond what f32 holds."""
    for op in (f.op for f in folds if f.op in INDEXED):
        if count >= EXACT_IN_F32:
            raise Unsupported(
                f"{op} over {count} elements: positions are counted in f32, exact below {EXACT_IN_F32}",
                f"fold parts of fewer than {EXACT_IN_F32} elements, and their results",
            )


def result(unit: VectorUnit, total: Accumulator) -> Value | Truth:
    """The value that the fold's name stands for."""
    if total.op in LOGICAL:
        return unit.compare("NE", total.lanes, real(0.0))
    return total.index if total.index is not None else total.lanes
