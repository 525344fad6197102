"""Neighbouring axes that every access walks as one become one axis: x[n, c, h, w] of a dense tensor is x[i].

Two axes a, b (b inside a) merge where each read and store has stride(a) == stride(b) * extent(b) and no guard or value
depends on either. Axes of extent 1 go first (`uol.codegen.specs.drop_unit_axes`).
"""

from __future__ import annotations

from uol.backends.ascendc.transfers.indices import Indices, extent
from uol.codegen.indexing.arithmetic import ZERO
from uol.codegen.indexing.fold_constants import substituted
from uol.codegen.specs.drop_unit_axes import without_unit_axes
from uol.codegen.specs.nodes import KernelSpec, Let, Read, Store, guard_operands
from uol.codegen.specs.traverse import axis_groups, mapped, steps_of, values
from uol.codegen.specs.verify import verified
from uol.ir.integers.intervals import Interval
from uol.ir.program.nodes import Axis, Const, Expr, Var
from uol.ir.program.walk import variables, walk


@verified
def collapsed(spec: KernelSpec) -> KernelSpec:
    """The same kernel with as few axes as its accesses allow."""
    spec = without_unit_axes(spec)
    while (pair := _mergeable(spec)) is not None:
        spec = _merged(spec, *pair)
    return spec


def _mergeable(spec: KernelSpec) -> tuple[Axis, Axis] | None:
    fixed = _fixed(spec)
    for group in axis_groups(spec).values():
        for outer, inner in zip(group, group[1:], strict=False):
            if not {outer.name, inner.name} & fixed and _walk_as_one(spec, outer, inner):
                return outer, inner
    return None


def _fixed(spec: KernelSpec) -> set[str]:
    """Variables that occur anywhere but in an offset."""
    found: set[str] = set()

    def outside(expr: Expr) -> None:
        if isinstance(expr, Read):
            for operand in guard_operands(expr.guard):
                found.update(variables(operand))
            for inner in walk(expr.offset):
                if isinstance(inner, Read):
                    found.update(variables(expr.offset))
            return
        if isinstance(expr, Var):
            found.add(expr.name)
        for child in getattr(expr, "args", ()):
            outside(child)

    for value in values(spec):
        outside(value)
    return found


def _walk_as_one(spec: KernelSpec, outer: Axis, inner: Axis) -> bool:
    ranges = {a.name: Interval(0, max(extent(a) - 1, 0)) for a in spec.axes}
    ranges[inner.name] = Interval(0, max(extent(outer) * extent(inner) - 1, 0))
    indices = Indices({}, ranges)
    offsets = [n.offset for v in values(spec) for n in walk(v) if isinstance(n, Read)]
    offsets += [s.offset for s in steps_of(spec) if isinstance(s, Store)]
    for offset in offsets:
        wide, narrow = indices.slope(offset, outer.name), indices.slope(offset, inner.name)
        if wide is None or narrow is None or wide != narrow * extent(inner):
            return False
    both = {outer.name, inner.name}
    lets = [s for s in steps_of(spec) if isinstance(s, Let) and len(both & set(s.axes)) == 1]
    return not any(both & variables(let.value) for let in lets)


def _merged(spec: KernelSpec, outer: Axis, inner: Axis) -> KernelSpec:
    taken = {a.name for a in spec.axes} | {a.name for a in spec.args}
    name = _joined_name(outer.name, inner.name, taken)
    axis = Axis(name, Const(extent(outer) * extent(inner)))
    become = {outer.name: name, inner.name: name}
    return mapped(
        spec,
        expr=lambda expr: substituted(expr, {outer.name: ZERO, inner.name: Var(name)}),
        axes=lambda axes: tuple(axis if a == inner else a for a in axes if a != outer),
        name=lambda n: become.get(n, n),
    )


def _joined_name(outer: str, inner: str, taken: set[str]) -> str:
    """The name of two axes as one: axes of a pack (s_0, s_1) go by the pack's name."""
    stems = {n.rpartition("_")[0] if n.rpartition("_")[2].isdigit() else n for n in (outer, inner)}
    if len(stems) == 1 and (stem := stems.pop()) and stem not in taken - {outer, inner}:
        return stem
    name = f"{outer}_{inner}"
    while name in taken:
        name += "_"
    return name
