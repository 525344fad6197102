"""Neighbouring axes that every access walks as one become one axis: x[n, c, h, w] of a dense tensor is x[i].

Two axes a, b (b inside a) merge where each read and store has stride(a) == stride(b) * extent(b) and no guard or value
depends on either. Axes of extent 1 go first (`uol.codegen.specs.drop_unit_axes`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from uol.backends.ascendc.transfers.indices import Indices, extent
from uol.codegen.indexing.arithmetic import ZERO
from uol.codegen.indexing.fold_constants import substituted
from uol.codegen.specs.drop_unit_axes import without_unit_axes
from uol.codegen.specs.nodes import Contract, Fold, KernelSpec, Let, Map, Pack, Read, Reduce, Step, Store
from uol.codegen.specs.steps import steps_of
from uol.codegen.specs.traverse import guard_operands, rewrite, variables, walk
from uol.ir.integers.intervals import Interval
from uol.ir.program.nodes import Axis, Const, Expr, Var


def collapsed(spec: KernelSpec) -> KernelSpec:
    """The same kernel with as few axes as its accesses allow."""
    spec = without_unit_axes(spec)
    while (pair := _mergeable(spec)) is not None:
        spec = _merged(spec, *pair)
    return spec


def groups(spec: KernelSpec) -> tuple[tuple[Axis, ...], ...]:
    """The axes of a spec, by what they are for; only axes of one group may merge."""
    match spec:
        case Map(index=index) | Pack(index=index):
            return (index,)
        case Reduce(rows=rows, cols=cols):
            return (rows, cols)
        case Contract(batch=batch, m=m, n=n, k=k):
            return (batch, m, n, k)
    return ()


def values_of(step: Step) -> tuple[Expr, ...]:
    """The values that a step computes, without the offset that a store writes to."""
    return (step.value, *step.where) if isinstance(step, Fold) else (step.value,)


def values(spec: KernelSpec) -> Iterator[Expr]:
    """Every value expression of a spec."""
    if isinstance(spec, Contract):
        yield from (spec.a, spec.b)
    for step in steps_of(spec):
        yield from values_of(step)


def _mergeable(spec: KernelSpec) -> tuple[Axis, Axis] | None:
    fixed = _fixed(spec)
    for group in groups(spec):
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
    both = (outer.name, inner.name)
    taken = {a.name for a in spec.axes} | {a.name for a in spec.args}
    name = _joined_name(outer.name, inner.name, taken)
    axis = Axis(name, Const(extent(outer) * extent(inner)))

    def value(expr: Expr) -> Expr:
        moved = substituted(expr, {outer.name: ZERO, inner.name: Var(name)})
        return rewrite(moved, strides)

    def strides(node: Expr) -> Expr | None:
        return replace(node, strides=pairs(node.strides)) if isinstance(node, Read) else None

    def pairs(given: tuple[tuple[str, Expr | None], ...]) -> tuple[tuple[str, Expr | None], ...]:
        return tuple((name if n == inner.name else n, s) for n, s in given if n != outer.name)

    def names(axes: tuple[str, ...]) -> tuple[str, ...]:
        kept = [name if a in both else a for a in axes]
        return tuple(dict.fromkeys(kept))

    return _rebuilt(spec, value, pairs, names, lambda axes: _joined(axes, outer, inner, axis))


def _joined_name(outer: str, inner: str, taken: set[str]) -> str:
    """The name of two axes as one: axes of a pack (s_0, s_1) go by the pack's name."""
    stems = {n.rpartition("_")[0] if n.rpartition("_")[2].isdigit() else n for n in (outer, inner)}
    if len(stems) == 1 and (stem := stems.pop()) and stem not in taken - {outer, inner}:
        return stem
    name = f"{outer}_{inner}"
    while name in taken:
        name += "_"
    return name


def _joined(axes: tuple[Axis, ...], outer: Axis, inner: Axis, axis: Axis) -> tuple[Axis, ...]:
    return tuple(axis if a == inner else a for a in axes if a != outer) if outer in axes else axes


def _rebuilt(
    spec: KernelSpec,
    value: Callable[[Expr], Expr],
    pairs: Callable[[tuple[tuple[str, Expr | None], ...]], tuple[tuple[str, Expr | None], ...]],
    names: Callable[[tuple[str, ...]], tuple[str, ...]],
    axes: Callable[[tuple[Axis, ...]], tuple[Axis, ...]],
) -> KernelSpec:
    def step(s: Step) -> Step:
        match s:
            case Let():
                return replace(s, value=value(s.value), axes=names(s.axes))
            case Fold():
                return replace(s, value=value(s.value), where=tuple(value(w) for w in s.where))
            case Store():
                return replace(s, offset=value(s.offset), strides=pairs(s.strides), value=value(s.value), axes=names(s.axes))

    match spec:
        case Map() | Pack():
            return replace(spec, index=axes(spec.index), steps=tuple(step(s) for s in spec.steps))
        case Reduce():
            return replace(spec, rows=axes(spec.rows), cols=axes(spec.cols), steps=tuple(step(s) for s in spec.steps))
        case Contract():
            return replace(
                spec, batch=axes(spec.batch), m=axes(spec.m), n=axes(spec.n), k=axes(spec.k),
                a=value(spec.a), b=value(spec.b), epilogue=tuple(step(s) for s in spec.epilogue),
            )  # fmt: skip
    return spec
