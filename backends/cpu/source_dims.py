"""The dims of what a read covers, taken from its strides and guards.

A guard speaks of one dim of the tensor: `0 <= p*2 + r - 1 < H` is its row. The axes in it move along that dim together,
by a stride of the tensor that its coefficients give away. Every other axis of the read is a dim of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from uol.codegen.index import Affine, add, affine, static
from uol.codegen.spec import Read, Within
from uol.ir.nodes import Axis, Const, Expr, Var


@dataclass(frozen=True, slots=True)
class SourceDim:
    """`index` runs from 0 to extent - 1 over what is read; `extent` is None where it is an argument. The tensor's own index is
    `index + least`; it is read where low <= tensor's index < high. `stride` is in elements of the tensor; `constant` is what
    the tensor's index is where all `axes` are 0."""

    axes: frozenset[str]
    index: Expr
    extent: int | None
    stride: int
    least: int = 0
    constant: int = 0
    low: int | None = None
    high: int | None = None


def source_dims(read: Read, axes: Sequence[Axis]) -> tuple[SourceDim, ...] | None:
    """The dims, or None where the read is not of that form. One at most may be of any size, without a guard."""
    offset = affine(read.offset)
    extents = {a.name: static(a.extent) for a in axes}
    if offset is None:
        return None
    dims: list[SourceDim] = []
    for guard in read.guard:
        dim = _guarded_dim(guard, offset, extents) if isinstance(guard, Within) else None
        if dim is None or any(dim.axes & other.axes for other in dims):
            return None
        dims.append(dim)
    taken = frozenset().union(*(d.axes for d in dims))
    for name, stride in offset.coefficients:
        if name not in extents or stride < 0:
            return None
        if name not in taken:
            dims.append(SourceDim(frozenset((name,)), Var(name), extents[name], stride))
    return tuple(dims) if sum(d.extent is None for d in dims) <= 1 else None


def _guarded_dim(guard: Within, offset: Affine, extents: dict[str, int | None]) -> SourceDim | None:
    value = affine(guard.value)
    bounds = [b for b in (guard.low, guard.high) if b is not None]
    if value is None or not value.coefficients or any(static(b) is None for b in bounds):
        return None
    least = greatest = value.constant
    strides: set[int] = set()
    for name, factor in value.coefficients:
        extent = extents.get(name)
        if not extent or offset.coefficient(name) % factor:
            return None
        ends = (0, factor * (extent - 1))
        least, greatest = least + min(ends), greatest + max(ends)
        strides.add(offset.coefficient(name) // factor)
    if len(strides) != 1 or min(strides) <= 0:
        return None
    return SourceDim(
        axes=frozenset(n for n, _ in value.coefficients),
        index=add(guard.value, Const(-least)),
        extent=greatest - least + 1,
        stride=strides.pop(),
        least=least,
        constant=value.constant,
        low=None if guard.low is None else static(guard.low),
        high=None if guard.high is None else static(guard.high),
    )
