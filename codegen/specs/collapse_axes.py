"""Neighbouring axes that every access steps over as one become one axis: x[n, c, h, w] of a dense tensor is x[i], and a
pointwise convolution a matrix product.

Two axes a, b of a group (b inside a) are one where each read and store has stride(a) == stride(b) * extent(b) and nothing
else depends on either: no guard, no value. Of extents that are arguments the strides have to say so as they are written. Axes
of extent 1 go first (`uol.codegen.specs.drop_unit_axes`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

from uol.codegen.indexing.affine import constant_stride
from uol.codegen.indexing.arithmetic import ZERO, mul, static, substituted
from uol.codegen.specs.drop_unit_axes import without_unit_axes
from uol.codegen.specs.nodes import Contract, KernelSpec, Let, Read, Store, guard_operands
from uol.codegen.specs.traverse import accesses, axis_groups, expressions, mapped, reads, steps_of
from uol.ir.integers.intervals import Interval
from uol.ir.program.nodes import Axis, Expr, Var
from uol.ir.program.walk import variables

S = TypeVar("S", bound=KernelSpec)


def collapsed(spec: S) -> S:
    """The same kernel with as few axes as its accesses allow."""
    spec = without_unit_axes(spec)
    while (pair := _collapsible(spec)) is not None:
        spec = joined(spec, *pair)
    return spec


def are_joinable(spec: KernelSpec, outer: Axis, inner: Axis) -> bool:
    """Does every access step over two neighbouring axes of a group as one?"""
    return not {outer.name, inner.name} & _told_apart(spec) and _step_as_one(spec, outer, inner)


def _collapsible(spec: KernelSpec) -> tuple[Axis, Axis] | None:
    told_apart = _told_apart(spec)
    for group in axis_groups(spec).values():
        for outer, inner in zip(group, group[1:], strict=False):
            if not {outer.name, inner.name} & told_apart and _step_as_one(spec, outer, inner):
                return outer, inner
    return None


def _told_apart(spec: KernelSpec) -> set[str]:
    """Variables that occur anywhere but in an offset, and the segments of a contraction."""
    stored = {id(s.offset) for s in steps_of(spec) if isinstance(s, Store)}
    found = {name for expr in expressions(spec) if id(expr) not in stored for name in _outside_offsets(expr)}
    if isinstance(spec, Contract) and spec.segments is not None:
        found.add(spec.segments.of)
    return found


def _outside_offsets(expr: Expr) -> Iterator[str]:
    """The variables of an expression, without those of its reads' offsets unless these read themselves."""
    match expr:
        case Read(offset=offset, guard=guards, fill=fill):
            for operand in guard_operands(guards):
                yield from variables(operand)
            if any(reads(offset)):
                yield from variables(offset)
            if fill is not None:
                yield from _outside_offsets(fill)
        case Var(name=name):
            yield name
        case _:
            for child in expr.children:
                yield from _outside_offsets(child)


def _step_as_one(spec: KernelSpec, outer: Axis, inner: Axis) -> bool:
    most, extent = static(outer.extent), static(inner.extent)
    if most is None or extent is None:
        if not all(_is_told_as_one(access, outer, inner) for access in accesses(spec)):
            return False
    else:
        ranges = {a.name: _range(static(a.extent)) for a in spec.axes} | {inner.name: _range(most * extent)}
        for offset in _offsets(spec):
            wide, narrow = (constant_stride(offset, axis.name, ranges) for axis in (outer, inner))
            if wide is None or narrow is None or wide != narrow * extent:
                return False
    both = {outer.name, inner.name}
    lets = [s for s in steps_of(spec) if isinstance(s, Let) and len(both & set(s.axes)) == 1]
    return not any(both & variables(let.value) for let in lets)


def _is_told_as_one(access: Read | Store, outer: Axis, inner: Axis) -> bool:
    """Of axes as long as dims say: do the strides that an access has say so?"""
    strides = dict(access.strides)
    if not {outer.name, inner.name} & (strides.keys() | variables(access.offset)):
        return True
    wide, narrow = strides.get(outer.name), strides.get(inner.name)
    return wide is not None and narrow is not None and wide == mul(narrow, inner.extent)


def _offsets(spec: KernelSpec) -> Iterator[Expr]:
    yield from (read.offset for expr in expressions(spec) for read in reads(expr))
    yield from (step.offset for step in steps_of(spec) if isinstance(step, Store))


def _range(extent: int | None) -> Interval:
    return Interval(0, None if extent is None else max(extent - 1, 0))


def joined(spec: S, outer: Axis, inner: Axis) -> S:
    """The spec with two axes that are joinable as one: 0 for the outer in every offset, the new one for the inner."""
    taken = {a.name for a in spec.axes} | {a.name for a in spec.args}
    name = _joined_name(outer.name, inner.name, taken)
    axis = Axis(name, mul(outer.extent, inner.extent))
    become = {outer.name: name, inner.name: name}
    return mapped(
        spec,
        expr=lambda expr: substituted(expr, {outer.name: ZERO, inner.name: Var(name)}),
        axes=lambda axes: tuple(axis if a == inner else a for a in axes if a != outer),
        name=lambda old: become.get(old, old),
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
