"""The first places of short rows are extrema, one after another: each is looked for among what is left.

    at[n, k] = order[e](x[n, e]), k < 2   ->   at_0[n] = argmax[e](x[n, e])
                                               at_1[n] = argmax[e](x[n, e] where e != at_0[n])
                                               at[n, k] = select(k == 0, at_0[n], at_1[n])

Where rows wait in registers, that is less than to sort them; and what else goes over the rows is of the same kernel.
"""

from __future__ import annotations

from dataclasses import replace

from uol.codegen.indexing.arithmetic import static
from uol.codegen.names import taken_names, unused
from uol.ir.integers.terms import compare
from uol.ir.program.nodes import Call, Const, Expr, Load, Order, Program, Reduce, Stage, Tensor, Var
from uol.ir.types import INDEX, is_float

MOST_PLACES = 8
LONGEST = 1 << 10
"""Elements of a row: so many stay in the registers of the threads that have it. A row has more elements than places are written
out, too (`few_terms`)."""


def small_orders(program: Program) -> Program:
    """The same program with every order of few places of short rows as that many extrema. NaN comes first among descending
    keys, and is the extremum of any."""
    tensors, taken = dict(program.tensors), set(taken_names(program))
    stages: list[Stage] = []
    for stage in program.stages:
        order = stage.value
        if not isinstance(order, Order) or not _is_small(stage, order):
            stages.append(stage)
            continue
        found: list[Load] = []
        rows = tuple(axis for axis in stage.axes if axis.name != order.place.name)
        for number in range(_places(stage, order)):
            name = unused(f"{stage.name}_{number}", taken)
            taken.add(name)
            tensors[name] = Tensor(name, "i32", tuple(axis.extent for axis in rows), "local")
            left = tuple(compare("!=", Var(order.axis.name), Call("cast", (one,), INDEX)) for one in found)
            best = Reduce("argmax" if order.descending else "argmin", (order.axis,), order.body, "i32", left, order.span)
            stages.append(Stage(name, rows, best, "i32", stage.line, stage.span))
            found.append(Load(name, tuple(Var(axis.name) for axis in rows), (), None, "i32"))
        stages.append(replace(stage, value=_chosen(order.place, found, order.dtype)))
    return replace(program, tensors=tensors, stages=tuple(stages))


def _places(stage: Stage, order: Order) -> int:
    return next(static(axis.extent) or 0 for axis in stage.axes if axis.name == order.place.name)


def _is_small(stage: Stage, order: Order) -> bool:
    """Are places few, and rows short, with an element for each place?"""
    places, length = _places(stage, order), static(order.axis.extent) or 0
    are_few = 0 < places <= MOST_PLACES < length <= LONGEST
    return are_few and (order.descending or not is_float(order.body.type))


def _chosen(place: Var, found: list[Load], dtype: str) -> Expr:
    """The extremum of a place."""
    value: Expr = found[-1]
    for number in reversed(range(len(found) - 1)):
        value = Call("select", (compare("==", place, Const(number)), found[number], value), "i32")
    return value if dtype == "i32" else Call("cast", (value,), dtype)
