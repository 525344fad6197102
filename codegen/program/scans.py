"""Recognising scans: `y[i] = sum[j <= i](x[j])` needs one addition an element, not one a pair.

    Running   op over the positions up to (or from) `along` of body: a value at every position
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Self

from uol.ir.program.nodes import Axis, Call, Const, Expr, Program, Reduce, Scatter, Stage, Var, still_var
from uol.ir.program.walk import substitute, variables


@dataclass(frozen=True, slots=True)
class Running(Expr):
    """`op` over `body` at the positions before and at `along`; after and at it with `reverse`; without the position itself
    with `exclusive`, and then the body is not evaluated at the last one. Only ever the whole value of a stage."""

    op: str
    along: Var
    body: Expr
    dtype: str
    reverse: bool
    exclusive: bool

    @property
    def children(self) -> tuple[Expr, ...]:
        return self.along, self.body

    def map_children(self, go: Callable[[Expr], Expr]) -> Self:
        return replace(self, along=still_var(go(self.along)), body=go(self.body))


def as_scans(program: Program) -> Program:
    """The same program with every reduction that is bounded by one index alone, and free of it otherwise, as a scan."""
    return replace(program, stages=tuple(_scanned(stage) for stage in program.stages))


def _scanned(stage: Stage) -> Stage:
    running = running_of(stage)
    return stage if running is None else replace(stage, value=running)


def running_of(stage: Stage) -> Running | None:
    """A stage's value as a scan; None where it is none."""
    value = stage.value
    found = bounded_by(value, stage.axes) if isinstance(value, Reduce) and not isinstance(stage, Scatter) else None
    if found is None or not isinstance(value, Reduce):
        return None
    inner, outer, relation = found
    if outer.name in variables(value.body) | variables(inner.extent):
        return None
    place = Var(outer.name)
    body = substitute(value.body, {inner.name: place})
    return Running(value.op, place, body, value.dtype, relation in (">=", ">"), relation in ("<", ">"))


def bounded_by(value: Reduce, axes: Iterable[Axis]) -> tuple[Axis, Axis, str] | None:
    """The axis of a reduction, the one of those outside that alone bounds it, and the relation; None where that is not so."""
    if len(value.axes) != 1 or len(value.where) != 1 or (bound := bound_of(value.where[0], value.axes[0].name)) is None:
        return None
    (inner,), (relation, name) = value.axes, bound
    outer = next((axis for axis in axes if axis.name == name), None)
    return None if outer is None or not reaches(inner, outer, relation) else (inner, outer, relation)


def widened(value: Reduce, axes: tuple[Axis, ...]) -> tuple[Axis, ...]:
    """The axes outside of a reduction, with one that is a little shorter than what it bounds from below (`j >= i`, where a
    further index bounds i) as long as that: then there is a scan along it. Nobody reads what is behind its own end."""
    bound = bound_of(value.where[0], value.axes[0].name) if len(value.axes) == len(value.where) == 1 else None
    if bound is None or not bound[0].startswith(">"):
        return axes
    extent, name = value.axes[0].extent, bound[1]
    return tuple(Axis(name, extent) if a.name == name and _is_little_less(a.extent, extent) else a for a in axes)


def widened_scan(value: Reduce, axes: tuple[Axis, ...]) -> tuple[Axis, ...]:
    """The same where no term depends on that index. Else there is no scan along it, and behind its own end a term may read what
    is not there."""
    wide = widened(value, axes)
    longer = {axis.name for axis in wide if axis not in axes}
    return axes if longer & variables(value.body) else wide


def _is_little_less(extent: Expr, than: Expr) -> bool:
    """Is an extent a number less than another one, and not so much that most of that would be for nothing?"""
    (base, offset), (other, further) = _base_and_offset(extent), _base_and_offset(than)
    if base is None and other is None:
        return further // 2 < offset < further
    return base == other and offset < further


def _base_and_offset(extent: Expr) -> tuple[Expr | None, int]:
    """`max(N - 2, 0)` as N and -2; a number has no base."""
    match extent:
        case Const(value=value):
            return None, int(value)
        case Call(fn="max", args=(inner, Const(value=0))) | Call(fn="max", args=(Const(value=0), inner)):
            return _base_and_offset(inner)
        case Call(fn="-", args=(base, Const(value=value))):
            return base, -int(value)
    return extent, 0


def bound_of(condition: Expr, inner: str) -> tuple[str, str] | None:
    """`inner < i` as ("<", "i"); None for any other condition."""
    match condition:
        case Call(fn="<=" | "<" | ">=" | ">" as relation, args=(Var(name=left), Var(name=right))) if left == inner:
            return relation, right
    return None


def reaches(inner: Axis, outer: Axis, relation: str) -> bool:
    """Does the bound alone say where the reduction ends? `j < i` makes j run over one position less than i."""
    if inner.extent == outer.extent:
        return True
    if relation != "<":
        return False
    if isinstance(inner.extent, Const) and isinstance(outer.extent, Const):
        return inner.extent.value == outer.extent.value - 1 or outer.extent.value == 0
    return inner.extent == Call("-", (outer.extent, Const(1)), "idx")
