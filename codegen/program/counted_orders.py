"""A row whose keys are of a few numbers is put in order by counting them, and what counts them is made beside it.

    key[m] = max(min(at[m], 8), -1);  order[i] = argsort[m](key[m]);  n[at[m]] += 1 of n[8]
    ->  order[i] = argsort[m](max(min(at[m], 8), -1)), which knows its range;  n[k] = how many keys of `order` are k
"""

from __future__ import annotations

from dataclasses import replace

from uol.codegen.indexing.arithmetic import static
from uol.codegen.program.unify_axes import plain_indices
from uol.ir.checker.accesses import sides
from uol.ir.integers.intervals import Interval
from uol.ir.program.nodes import Axis, Call, Const, Expr, Load, Order, Program, Reduce, Scatter, Stage, Tally, Var
from uol.ir.program.walk import rewrite, substitute, walk
from uol.ir.types import INDEX, is_integer


def counted_orders(program: Program, most_keys: int, most_elements: int) -> Program:
    """The same program, where orders of one row of up to so many elements with up to so many different keys have what their
    keys are made of in them, and scatters that count these stand beside them. A key is of few numbers where it is cut at
    constants on both sides."""
    made = {s.name: any(isinstance(e, Reduce | Order) for e in walk(s.value)) for s in program.stages}
    plain = {s.name: s for s in program.stages if type(s) is Stage and not made[s.name]}
    stages: list[Stage] = list(program.stages)
    for stage in program.stages:
        order = stage.value
        if not isinstance(order, Order) or not _is_one_row(stage, order, most_elements):
            continue
        key = _made(order.body, plain)
        cut = _cut(key)
        if cut is None or (cut[1].high or 0) - (cut[1].low or 0) >= most_keys:
            continue
        counting = [s for s in stages if isinstance(s, Scatter) and _counts(s, order.axis, *cut, plain, program)]
        tallies = [_tally(s, stage, program) for s in counting]
        stages = [s for s in stages if s not in counting]
        at = stages.index(stage)
        stages[at : at + 1] = [replace(stage, value=replace(order, body=key)), *tallies]
    return program if stages == list(program.stages) else replace(program, stages=tuple(stages))


def _is_one_row(stage: Stage, order: Order, most: int) -> bool:
    length = static(order.axis.extent) or 0
    return 0 < length <= most and not order.descending and [a.extent for a in stage.axes] == [order.axis.extent]


def _made(expr: Expr, plain: dict[str, Stage]) -> Expr:
    """An expression with what stages of elements make in the place of their tensors."""

    def rule(node: Expr) -> Expr | None:
        if not isinstance(node, Load) or node.tensor not in plain or node.guard or plain_indices(node) is None:
            return None
        maker = plain[node.tensor]
        return _made(substitute(maker.value, {a.name: i for a, i in zip(maker.axes, node.index, strict=True)}), plain)

    return rewrite(expr, rule)


def _cut(key: Expr) -> tuple[Expr, Interval] | None:
    """What is cut, and the numbers that are left of it."""
    match key:
        case (
            Call(fn="max", args=(Call(fn="min", args=(of, Const(value=high))), Const(value=low)))
            | Call(fn="min", args=(Call(fn="max", args=(of, Const(value=low))), Const(value=high)))
        ) if is_integer(key.dtype) and low <= high:
            return of, Interval(int(low), int(high))
    return None


def _counts(stage: Scatter, row: Axis, of: Expr, numbers: Interval, plain: dict[str, Stage], program: Program) -> bool:
    """Does a scatter add 1 for each element of a row at what its key is cut from, and are its places keys as they are?"""
    if len(stage.axes) != 1 or len(stage.target) != 1 or stage.axes[0].extent != row.extent:
        return False
    extent = static(program.tensors[stage.name].shape[0])
    place = _made(substitute(stage.target[0], {stage.axes[0].name: Var(row.name)}), plain)
    is_one = isinstance(stage.value, Const) and stage.value.value == 1 and is_integer(stage.dtype)
    is_inside = extent is not None and (numbers.low or 0) < 0 and 1 < extent <= (numbers.high or 0)
    inside = set(sides(stage.target[0], Const(extent or 0)))
    return is_one and is_inside and place == Call("cast", (of,), INDEX) and inside.issuperset(stage.guard)


def _tally(stage: Scatter, order: Stage, program: Program) -> Tally:
    key = Axis(f"{stage.name}_key", program.tensors[stage.name].shape[0])
    return Tally(stage.name, (key,), Const(1, stage.dtype), stage.dtype, stage.line, stage.span, order.name)
