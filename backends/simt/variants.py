"""Kernels of one spec for parts of the sizes that its dims may have: what depends on sizes is chosen at the launch, and a size
has one kernel.

    maps      elements side by side, where the last extent is a multiple of them; else one by one
    rows      what lanes of a warp hold, what threads of a block hold, and any; each side by side, and one by one
    orders    rows of tiles of one size after another, and any
    products  few rows, few columns, and any
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import reduce

from uol.backends.simt.rows.kept_reads import MOST_COLUMNS
from uol.backends.simt.rows.row_schedules import MOST_THREADS, lanes_want_rows
from uol.backends.simt.schedules import THREADS
from uol.backends.simt.transposed import crossing_of, tile_across
from uol.backends.simt.vectors import WHOLE_BYTES, width_along
from uol.codegen.indexing.arithmetic import size, static
from uol.codegen.specs.drop_unit_axes import without_unit_axes
from uol.codegen.specs.nodes import Contract, KernelSpec, Map, Pack, Reduce, Select
from uol.codegen.specs.sizes import multiple_of
from uol.codegen.specs.steps import passes_of
from uol.ir.integers.terms import compare, negate
from uol.ir.program.nodes import Axis, Call, Const, Expr

Where = tuple[Expr, ...]

FEW = (16, 32, 64)
"""Rows or columns of a product: as many as the smaller tiles have."""
ORDERS = (256, 512, 1024, 2048)
"""Elements of a row that are put in order in shared memory: a network of twice as many has more than twice as many steps."""


@dataclass(frozen=True, slots=True)
class Part:
    """Sizes for which all conditions hold, and what their kernel is called behind the spec's name."""

    name: str
    where: Where


def variants(spec: KernelSpec, lanes: int) -> tuple[KernelSpec, ...]:
    """The spec for each part of the sizes, the last for what is left; itself where none is open."""
    parts = tuple(_parts(without_unit_axes(spec), lanes))
    return tuple(replace(spec, name="_".join(filter(None, (spec.name, p.name))), where=p.where) for p in parts) or (spec,)


def _parts(spec: KernelSpec, lanes: int) -> Iterator[Part]:
    match spec:
        case Map() | Pack() if spec.axes:
            yield from _by_width(Part("", ()), spec)
        case Reduce() if spec.cols and not lanes_want_rows(spec, spec.rows, spec.cols):
            for part in _by_length(spec, lanes):
                yield from _by_width(part, spec)
        case Select() if static(spec.col.extent) is None:
            yield from _up_to(spec.col.extent, {f"up_to_{most}": most for most in ORDERS})
        case Contract():
            beyond: Where = ()
            for name, axes in (("rows", spec.m), ("columns", spec.n)):
                if _is_open(axes):
                    *few, rest = _up_to(size(axes), {f"{most}_{name}": most for most in FEW})
                    yield from (replace(part, where=(*part.where, *beyond)) for part in few)
                    beyond = (*beyond, *rest.where)
            yield Part("", beyond)


def _by_length(spec: Reduce, lanes: int) -> Iterator[Part]:
    """Rows that lanes of a warp hold, longer ones that threads of a block do where columns are read more than once, and any."""
    if not _is_open(spec.cols):
        return iter([Part("", ())])
    bounds = {"short": lanes * MOST_COLUMNS}
    if len(passes_of(spec).passes) > 1:
        bounds |= {"middle": THREADS * MOST_COLUMNS, "long": MOST_THREADS * MOST_COLUMNS}
    return _up_to(size(spec.cols), bounds)


def _up_to(count: Expr, bounds: Mapping[str, int]) -> Iterator[Part]:
    """Up to one bound after another, and beyond the last."""
    beyond: Where = ()
    for name, most in bounds.items():
        within = compare("<=", count, Const(most))
        yield Part(name, (within, *beyond))
        beyond = (negate(within),)
    yield Part("", beyond)


def _by_width(part: Part, spec: Map | Pack | Reduce) -> Iterator[Part]:
    """A part as it is; or in two, where whole accesses may go along axes if their extents are multiples of them."""
    crossing = None if isinstance(spec, Reduce) else crossing_of(spec)
    axes = (spec.axes[-1],) if crossing is None else (crossing.along, crossing.across)
    extents = tuple(axis.extent for axis in axes if static(axis.extent) is None)
    whole = replace(spec, where=tuple(multiple_of(extent, WHOLE_BYTES) for extent in extents))
    width = width_along(whole, axes[0]) if crossing is None or isinstance(whole, Reduce) else tile_across(whole, crossing).each
    if not extents or width == 1:
        yield part
        return
    multiples = tuple(multiple_of(extent, width) for extent in extents)
    yield Part("_".join(filter(None, (part.name, f"by_{width}"))), (*part.where, *multiples))
    first, *others = map(negate, multiples)
    yield replace(part, where=(*part.where, reduce(lambda found, each: Call("or", (found, each), "bool"), others, first)))


def _is_open(axes: Iterable[Axis]) -> bool:
    return static(size(axes)) is None
