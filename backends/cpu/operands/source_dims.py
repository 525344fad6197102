"""The dims of what a read covers, taken from its strides and guards.

A guard speaks of one dim of the tensor: `0 <= p*2 + r - 1 < H` is its row. The axes in it move along that dim together,
by a stride of the tensor that its coefficients give away. Every other axis of the read is a dim of its own.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from uol.codegen.indexing.affine import Affine, affine
from uol.codegen.indexing.arithmetic import ZERO, add, static
from uol.codegen.specs.nodes import Read, Within
from uol.ir.integers import polynomials
from uol.ir.integers.terms import Poly
from uol.ir.program.nodes import Axis, Call, Expr, Var
from uol.ir.program.walk import variables
from uol.ir.types import INDEX


@dataclass(frozen=True, slots=True)
class SourceDim:
    """`index` runs from 0 to extent - 1 over what is read. The tensor's own index is `index + least`; it is read where
    low <= tensor's index < high. `stride` is in elements of the tensor; `constant` is what the tensor's index is where all
    `axes` are 0. All are expressions over dims that are arguments, numbers where there are none."""

    axes: frozenset[str]
    index: Expr
    extent: Expr
    stride: Expr
    least: Expr = ZERO
    constant: Expr = ZERO
    low: Expr | None = None
    high: Expr | None = None


def source_dims(read: Read, axes: Sequence[Axis], arguments: Collection[str]) -> tuple[SourceDim, ...] | None:
    """The dims, or None where the read is not of that form. `arguments` are the dims that have no number."""
    extents = {a.name: a.extent for a in axes}
    offset = affine(read.offset, extents)
    if offset is None or not variables(read.offset) <= {*extents, *arguments}:
        return None
    dims: list[SourceDim] = []
    for guard in read.guard:
        dim = _guarded_dim(guard, offset, extents) if isinstance(guard, Within) else None
        if dim is None or any(dim.axes & other.axes for other in dims) or not _is_known(dim, arguments):
            return None
        dims.append(dim)
    taken = frozenset().union(*(d.axes for d in dims))
    for name in sorted(offset.factors.keys() - taken):
        if not _is_positive(offset.factors[name]):
            return None
        dims.append(SourceDim(frozenset((name,)), Var(name), extents[name], offset.factor(name)))
    return tuple(dims)


def _guarded_dim(guard: Within, offset: Affine, extents: Mapping[str, Expr]) -> SourceDim | None:
    value = affine(guard.value, extents)
    if value is None or not value.factors:
        return None
    least = greatest = value.constant
    strides: list[Poly] = []
    for name, poly in value.factors.items():
        factor = static(polynomials.from_poly(poly))
        stride = None if factor is None else _over(offset.factors.get(name, {}), factor)
        if factor is None or stride is None or static(extents[name]) == 0:
            return None
        last = polynomials.add(polynomials.to_poly(extents[name], {}), {(): -1})
        if factor < 0:
            least = polynomials.add(least, polynomials.scale(last, factor))
        else:
            greatest = polynomials.add(greatest, polynomials.scale(last, factor))
        strides.append(stride)
    if not _is_positive(strides[0]) or any(s != strides[0] for s in strides):
        return None
    extent = polynomials.from_poly(polynomials.add(polynomials.add(greatest, polynomials.scale(least, -1)), {(): 1}))
    if _may_be_negative(value, extents):
        extent = Call("max", (extent, ZERO), INDEX)
    return SourceDim(
        axes=frozenset(value.factors),
        index=add(guard.value, polynomials.from_poly(polynomials.scale(least, -1))),
        extent=extent,
        stride=polynomials.from_poly(strides[0]),
        least=polynomials.from_poly(least),
        constant=polynomials.from_poly(value.constant),
        low=guard.low,
        high=guard.high,
    )


def _over(poly: Poly, factor: int) -> Poly | None:
    """A polynomial over a number that divides it."""
    return None if any(c % factor for c in poly.values()) else {m: c // factor for m, c in poly.items()}


def _is_positive(stride: Poly) -> bool:
    """Strides are sums of products of dims: one that counts backwards has a minus in front."""
    degree = max(map(len, stride), default=0)
    return bool(stride) and all(c > 0 for m, c in stride.items() if len(m) == degree)


def _is_known(dim: SourceDim, arguments: Collection[str]) -> bool:
    """Do extent and bounds depend on dims alone?"""
    parts = (dim.extent, dim.least, *(b for b in (dim.low, dim.high) if b is not None))
    return all(variables(part) <= {*arguments} for part in parts)


def _may_be_negative(value: Affine, extents: Mapping[str, Expr]) -> bool:
    """Is there less than nothing to read where an extent that is an argument is 0?"""
    least = 1
    for name, poly in value.factors.items():
        extent = static(extents[name])
        least += abs(poly[()]) * ((0 if extent is None else extent) - 1)
    return least < 0
