"""Recognising searches: `sum[e](i32(keys[e] <= v))` over keys in ascending order asks log E of them, not E.

    keys[e] <= v, keys[e] < v     what comes before v
    keys[e] > v, keys[e] >= v     all that are numbers, but for what comes before v; nothing where v is NaN

NaN comes last among the keys, and a comparison with it is false, so that what counts is a run from the first key on, or up to
the first NaN. That the keys ascend is a promise of the text (`where sorted(keys)`), or what `sort` makes.
"""

from __future__ import annotations

from dataclasses import replace
from math import inf

from uol.codegen.indexing.arithmetic import ZERO, static
from uol.codegen.specs.search import Reached
from uol.ir.integers.terms import compare
from uol.ir.program.nodes import Axis, Call, Const, Expr, Load, Program, Reduce, Scatter, Stage, Var, zero_of
from uol.ir.program.walk import variables
from uol.ir.types import is_float

COUNTERS = ("i32", "i64")
"""Types that are counted in: a shorter one may wrap."""
MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}


def as_searches(program: Program, fewest: int = 0) -> Program:
    """The same program with every count of sorted keys that a value reaches, or does not, as a search, from `fewest` keys on;
    an open number of them counts as none."""
    return replace(program, stages=tuple(_searching(stage, program, fewest) for stage in program.stages))


def _searching(stage: Stage, program: Program, fewest: int) -> Stage:
    """A count is the whole value of its stage, which is elementwise from then on."""
    value = stage.value
    if isinstance(stage, Scatter) or not isinstance(value, Reduce) or value.op != "sum" or value.where:
        return stage
    if len(value.axes) != 1 or (static(value.axes[0].extent) or 0) < fewest:
        return stage
    found = _count(value, program) if value.dtype in COUNTERS else None
    return stage if found is None else replace(stage, value=found)


def _count(counted: Reduce, program: Program) -> Expr | None:
    (axis,) = counted.axes
    match counted.body:
        case Call(fn="cast", args=(Call(fn=relation, args=(left, right)),)) if relation in MIRRORED:
            if _is_key(left, axis, program):
                return _reached(left, relation, right, counted)
            if _is_key(right, axis, program):
                return _reached(right, MIRRORED[relation], left, counted)
    return None


def _is_key(expr: Expr, axis: Axis, program: Program) -> bool:
    """Is it the element of a sorted tensor at the index that is counted over?"""
    match expr:
        case Load(tensor=tensor, index=(Var(name=name),), guard=()):
            return name == axis.name and tensor in program.sorted
    return False


def _reached(key: Expr, relation: str, value: Expr, counted: Reduce) -> Expr | None:
    """How many keys stand in a relation to a value that is the same for all of them."""
    (axis,), dtype = counted.axes, counted.dtype
    if axis.name in variables(value):
        return None
    assert isinstance(key, Load)
    first = replace(key, index=(ZERO,))
    before = Reached(first, axis.extent, value, relation in ("<=", ">"), dtype)
    if relation in ("<", "<="):
        return before
    if not is_float(key.dtype):
        return Call("-", (Call("cast", (axis.extent,), dtype), before), dtype)
    numbers = Reached(first, axis.extent, Const(inf, key.dtype), True, dtype)
    return Call("select", (compare("==", value, value), Call("-", (numbers, before), dtype), zero_of(dtype)), dtype)
