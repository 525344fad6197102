"""The stretch of an axis on which every guard along it holds, whatever the other indices in it are: there reads need none.

0 <= 2*q + s - 1        q < 56, s < 3        holds for every s from q = 1 on
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from uol.codegen.indexing.affine import affine, coefficient
from uol.codegen.indexing.arithmetic import static
from uol.codegen.specs.nodes import Guard, Read, Reduce, Within
from uol.codegen.specs.traverse import expressions, mapped, reads
from uol.ir.program.nodes import Axis, Expr
from uol.ir.program.walk import rewrite


@dataclass(frozen=True, slots=True)
class Interior:
    """first <= row < last along the innermost row, and the kernel as it is there."""

    first: int
    last: int
    spec: Reduce

    @property
    def length(self) -> int:
        return self.last - self.first


def interior_of(spec: Reduce) -> Interior:
    """The interior of a kernel's innermost row; all of it where no guard along it can be decided, or none holds anywhere.
    Its extent is a number."""
    inner = spec.rows[-1]
    extents = {axis.name: number for axis in (inner, *spec.cols) if (number := static(axis.extent)) is not None}
    guards = [guard for expr in expressions(spec) for read in reads(expr) if read.fill is not None for guard in read.guard]
    found = [held for guard in dict.fromkeys(guards) if (held := _holds(guard, inner, extents)) is not None]
    first, last = max((a for a, _ in found), default=0), min((b for _, b in found), default=extents[inner.name])
    if not found or first >= last:
        return Interior(0, extents[inner.name], spec)
    return Interior(first, last, mapped(spec, expr=lambda expr: _without_guards(expr, inner, extents)))


def _holds(guard: Guard, axis: Axis, extents: Mapping[str, int]) -> tuple[int, int] | None:
    """Where a guard holds for all other indices in it, which must be among `extents`, as its bounds must be numbers."""
    if not isinstance(guard, Within):
        return None
    form = affine(guard.value)
    low, high = (None if bound is None else static(bound) for bound in (guard.low, guard.high))
    is_plain = (low is None) == (guard.low is None) and (high is None) == (guard.high is None)
    if form is None or not is_plain or not form.factors.keys() <= extents.keys() or not set(form.constant) <= {()}:
        return None
    step = coefficient(guard.value, axis.name) or 0
    if step <= 0:
        return None
    reaches = [(coefficient(guard.value, n) or 0) * (extents[n] - 1) for n in form.factors if n != axis.name]
    constant, extent = form.constant.get((), 0), extents[axis.name]
    least, most = (constant + sum(end(0, reach) for reach in reaches) for end in (min, max))
    first = 0 if low is None else max(0, -((least - low) // step))
    last = extent if high is None else min(extent, -((most - high) // step))
    return first, last


def _without_guards(expr: Expr, axis: Axis, extents: Mapping[str, int]) -> Expr:
    def rule(node: Expr) -> Expr | None:
        if not isinstance(node, Read) or node.fill is None:
            return None
        kept = tuple(guard for guard in node.guard if _holds(guard, axis, extents) is None)
        return replace(node, guard=kept, fill=node.fill if kept else None)

    return rewrite(expr, rule)
