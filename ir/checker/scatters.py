"""Accumulate-scatter, `y[at[n], d] += x[n, d]`.

The statement runs over every index that stands in it; where a target lies outside, nothing is added. Several statements
may add to one tensor: each makes a part, and the tensor is their sum.
"""

from __future__ import annotations

from dataclasses import dataclass

from uol.ir.checker import accesses, values
from uol.ir.checker.environment import Scope
from uol.ir.checker.messages import mismatch, some
from uol.ir.program.nodes import Axis, Call, Expr, Load, Scatter, Stage, Tensor, Var
from uol.ir.syntax import surface
from uol.ir.syntax.surface import Access, Name, Statement, Target
from uol.ir.types import NARROW


@dataclass(frozen=True, slots=True)
class Sum:
    """A tensor that is added to: its shape, its type (None until a value has told), and its parts so far."""

    shape: tuple[Expr, ...]
    dtype: str | None
    parts: tuple[str, ...] = ()


def scatter(scope: Scope, statement: Statement, into: Sum, made: Tensor | str) -> Tensor:
    """Adds the stage of one `+=`, which makes a declared tensor, or a new one of that name."""
    (target,) = statement.targets
    if len(target.index) != len(into.shape):
        raise mismatch(scope.op, target, f"`{target.tensor}` has {some(len(into.shape), 'dim')}, not {len(target.index)}")
    axes = _axes(scope, statement, target, into.shape)
    with scope.indices(axes):
        index = tuple(values.index_value(scope, i) for i in target.index)
        guard = tuple(
            side
            for place, extent in zip(index, into.shape, strict=True)
            for side in accesses.sides(place, extent)
            if not accesses.proven(scope, place, side)
        )
        with scope.under(*guard):
            value = values.value(scope, statement.value, into.dtype)
            if into.dtype is not None:
                value = values.fit(scope, statement.value, value, into.dtype, f"`{target.tensor}`")
    if value.type in NARROW or value.type == "bool":
        hint = "accumulate wider, and cast what is read: `a[...] += acc(...)`" if value.type != "bool" else "count: `i32(...)`"
        raise mismatch(scope.op, statement, f"`+=` of {value.type} would lose digits", hint)
    tensor = made
    if isinstance(tensor, str):
        tensor = scope.env.draft.add(Tensor(scope.env.draft.unique(tensor), value.type, into.shape, "local"))
    stage = Scatter(tensor.name, tuple(axes.values()), value, value.type, scope.line, scope.span, target=index, guard=guard)
    scope.env.draft.stages.append(stage)
    return tensor


def total(scope: Scope, tensor: Tensor, parts: tuple[str, ...]) -> Stage:
    """`tensor = part + part + ...`"""
    axes = tuple(Axis(scope.axis_name(f"i{n}"), e) for n, e in enumerate(tensor.shape))
    where = tuple(Var(a.name) for a in axes)
    value: Expr = Load(parts[0], where, (), None, tensor.dtype)
    for part in parts[1:]:
        value = Call("+", (value, Load(part, where, (), None, tensor.dtype)), tensor.dtype)
    return Stage(tensor.name, axes, value, tensor.dtype, scope.line, scope.span)


def _axes(scope: Scope, statement: Statement, target: Target, shape: tuple[Expr, ...]) -> dict[str, Axis]:
    """Every index of the statement that no reduction binds."""
    names = dict.fromkeys(name for part in (*target.index, statement.value) for name in accesses.indices(scope, part))
    axes: dict[str, Axis] = {}
    for name in names:
        found = [
            accesses.Place(extent, item, True)
            for item, extent in zip(target.index, shape, strict=True)
            if isinstance(item, Name) and item.id == name
        ]
        for part in (*target.index, statement.value):
            found += accesses.places(scope, part, name)
        extent = accesses.extent_of(scope, name, found)
        if extent is None:
            hint = f"let it stand alone in an index, or in an arm that is never taken: `select(true, ..., x[{name}])`"
            raise mismatch(scope.op, statement, f"nothing says how far `{name}` runs", hint)
        axes[name] = Axis(scope.axis_name(name), extent)
    return axes


def shape_of_local(
    scope: Scope, statement: Statement, later: tuple[Statement, ...], results: dict[str, Tensor]
) -> tuple[Expr, ...]:
    """The extents of a tensor that is only added to: of the plain index that a later statement reads it with, or of the
    plain index in the target itself."""
    (target,) = statement.targets
    return tuple(_extent(scope, statement, later, results, number) for number in range(len(target.index)))


def _extent(scope: Scope, statement: Statement, later: tuple[Statement, ...], results: dict[str, Tensor], dim: int) -> Expr:
    (target,) = statement.targets
    item = target.index[dim]
    for reader in later:
        found = _read_extent(scope, reader, target.tensor, dim, results)
        if found is not None:
            return found
    if isinstance(item, Name):
        places = [p for part in (*target.index, statement.value) for p in accesses.places(scope, part, item.id)]
        own = accesses.extent_of(scope, item.id, places)
        if own is not None:
            return own
    raise mismatch(
        scope.op,
        item,
        f"nothing says how large dim {dim} of `{target.tensor}` is",
        "read it later at a plain index that a result, or another tensor, has too",
    )


def _read_extent(scope: Scope, reader: Statement, tensor: str, dim: int, results: dict[str, Tensor]) -> Expr | None:
    """What the statement's index at that dim of the tensor runs over, by the targets or the other tensors there."""
    reads = [n for n in surface.below(reader.value) if isinstance(n, Access) and isinstance(n.tensor, Name)]
    for access in reads:
        if not isinstance(access.tensor, Name) or access.tensor.id != tensor or len(access.index) <= dim:
            continue
        item = access.index[dim]
        if not isinstance(item, Name):
            continue
        for target in reader.targets:
            declared = results.get(target.tensor)
            for place, other in enumerate(target.index):
                if declared is not None and isinstance(other, Name) and other.id == item.id and place < len(declared.shape):
                    return declared.shape[place]
        for other_access in reads:
            known = scope.env.tensors.get(other_access.tensor.id) if isinstance(other_access.tensor, Name) else None
            for place, other in enumerate(other_access.index):
                if known is not None and isinstance(other, Name) and other.id == item.id and place < len(known.shape):
                    return known.shape[place]
    return None
