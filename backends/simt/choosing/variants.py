"""Kernels of one spec for parts of the sizes that its dims may have: what depends on sizes is chosen at the launch, and a size
has one kernel.

    maps      elements side by side, where the last extent is a multiple of them; else one by one
    rows      what shared memory takes of several, what lanes of a warp hold, what threads of a block hold, and any; each side
              by side, fewer so, and one by one
    columns   rows of them side by side, where they are a multiple of them, and one by one
    scans     rows that half a block holds, and any; each side by side, and one by one
    orders    rows of tiles of one size after another, and any
    products  few rows, few columns, and any
    attention widths up to what a thread sums of them, and any
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from itertools import islice
from typing import TypeVar

from uol.backends.simt.attention.tiles import WIDTHS, open_widths
from uol.backends.simt.c_text.counters import smallest
from uol.backends.simt.elements.multiples import NONE, is_multiple_of
from uol.backends.simt.elements.transposed import crossing_of, tile_across
from uol.backends.simt.elements.wide_axes import elements_side_by_side, last_axes, with_last_axes_joined
from uol.backends.simt.machine.limits import THREADS, WHOLE_BYTES
from uol.backends.simt.machine.target import Machine
from uol.backends.simt.products.matrix.legality import sizes_of_whole_accesses
from uol.backends.simt.rows.kept_reads import MOST_COLUMNS, MOST_THREADS, columns_kept, most_columns
from uol.backends.simt.rows.row_schedules import (
    ROWS_STAGED,
    are_short,
    columns_side_by_side,
    lanes_want_rows,
    rows_side_by_side,
)
from uol.backends.simt.rows.staging import staged_bytes
from uol.codegen.indexing.arithmetic import ONE, size, static
from uol.codegen.specs.drop_unit_axes import without_unit_axes
from uol.codegen.specs.ends import until_end
from uol.codegen.specs.nodes import Attention, Contract, KernelSpec, Map, Pack, Reduce, Scan, Select
from uol.codegen.specs.sizes import known_bound, multiple_of
from uol.codegen.specs.steps import passes_of
from uol.ir.integers.terms import compare, negate
from uol.ir.program.nodes import Axis, Call, Const, Expr, Var
from uol.ir.program.walk import variables

Where = tuple[Expr, ...]
Spread = Map | Pack | Reduce | Scan
Wide = TypeVar("Wide", bound=Spread)

FEW = (1, 4, 16, 64)
"""Rows of a product, or columns where rows are known: so few that each weight is read once; as many as small tiles have."""
MOST_FEW = 16
"""Of those the last that reads each weight once; columns where rows are open, too: at most six kernels are for one product."""
ORDERS = (256, 512, 1024, 2048)
"""Elements of a row that are put in order in shared memory, and in as many threads as a quarter of them."""


STAGED = (32, 64, 256)
"""Columns of rows that may come to shared memory first: a block has more of them, the shorter they are. The shortest come there
rather than by pairs."""


@dataclass(frozen=True, slots=True)
class Part:
    """Sizes for which all conditions hold, and what their kernel is called behind the spec's name."""

    name: str
    where: Where


def variants(spec: KernelSpec, machine: Machine) -> tuple[KernelSpec, ...]:
    """The spec for each part of the sizes, the last for what is left; itself where none is open."""
    parts = tuple(_parts(without_unit_axes(spec), machine.lanes))
    named = ((p, "_".join(filter(None, (spec.name, p.name)))) for p in parts)
    return tuple(replace(spec, name=name, where=tuple(dict.fromkeys((*spec.where, *p.where)))) for p, name in named) or (spec,)


def _parts(spec: KernelSpec, lanes: int) -> Iterator[Part]:
    match spec:
        case Map() | Pack() if spec.axes:
            yield from _by_width(Part("", ()), spec, lanes)
        case Reduce() if spec.cols and not _are_one_thread_s(spec, lanes):
            for part in _by_length(spec, lanes):
                yield from _by_width(part, spec, lanes)
        case Scan(along=along) if isinstance(along.extent, Var) and not lanes_want_rows(spec, spec.rows, (along,)):
            width = _width(_by_multiples(spec, (along.extent,)), lanes)
            for part in _up_to({"short": THREADS // 2 * width}, along.extent):
                yield from _by_width(part, spec, lanes)
        case Reduce() | Scan() if isinstance(spec, Scan) or spec.rows:
            yield from _by_width(Part("", ()), spec, lanes)
        case Select() if static(spec.col.extent) is None and not spec.run:
            orders = ORDERS[bisect_left(ORDERS, smallest(spec.col.extent, spec.where)) :]
            most = known_bound(spec.where, spec.col.extent)
            parts = _up_to({f"up_to_{each}": each for each in orders}, spec.col.extent)
            yield from islice(parts, None if most is None else bisect_left(orders, most) + 1)
        case Contract():
            yield from _of_products(spec)
        case Attention() if widths := open_widths(spec):
            yield from _up_to({f"width_{most}": most for most in WIDTHS}, *widths)


def _of_products(spec: Contract) -> Iterator[Part]:
    """Few rows, few columns, and any; or for matrix units, whose rows are whole accesses. Of rows in segments none are so few
    that kernels of their own pay."""
    if (conditions := sizes_of_whole_accesses(spec)) is not None:
        yield from _on_matrix_units(spec, conditions)
        return
    beyond: Where = ()
    few = tuple(most for most in FEW if most >= MOST_FEW) if spec.segments else FEW
    for name, axes in (("rows", spec.m), ("columns", spec.n)):
        if _is_open(axes):
            *parts, rest = _up_to({f"{most}_{name}": most for most in few}, size(axes))
            yield from (replace(part, where=(*part.where, *beyond)) for part in parts)
            beyond, few = (*beyond, *rest.where), (MOST_FEW,)
    yield Part("", beyond)


def _on_matrix_units(spec: Contract, conditions: Where) -> Iterator[Part]:
    """Few rows; some, and any, where rows are whole accesses; any where they are not."""
    few: list[Part] = []
    several: list[Part] = [Part("", ())]
    beyond: Where = ()
    if _is_open(spec.m):
        counts = [most for most in FEW if not spec.segments or most >= MOST_FEW]
        parts = list(_up_to({f"{most}_rows": most for most in counts}, size(spec.m)))
        number = counts.index(MOST_FEW) + 1
        few, several = parts[:number], parts[number:]
        beyond = (negate(compare("<=", size(spec.m), Const(MOST_FEW))),)
    yield from few
    if not conditions:
        yield from several
        return
    yield from (Part("_".join(filter(None, (part.name, "whole"))), (*part.where, *conditions)) for part in several)
    yield Part("", (*beyond, _not_all(conditions)))


def _by_length(spec: Reduce, lanes: int) -> Iterator[Part]:
    """Rows that half of a warp's lanes hold, or all, longer ones that threads of a block do where columns are read more than
    once, and any. Parts of long rows are not short."""
    if not _is_open(spec.cols) or until_end(spec)[1]:
        return iter([Part("", ())])
    are_kept, are_many = len(passes_of(spec).passes) > 1, size(spec.rows) != ONE
    threads = (THREADS // 4,) * (are_kept or are_many) + (THREADS, MOST_THREADS) * are_kept
    longer = [of_block * each for of_block in threads for each in sorted({MOST_COLUMNS, most_columns(of_block)})]
    bounds: dict[str, int] = {}
    if are_many:  # of which a block has several, of the shortest twice as many
        if _may_be_staged(spec):
            bounds |= {f"up_to_{most}": most for most in STAGED}
        if isinstance(size(spec.cols), Var):
            width = _width(_by_multiples(spec, (size(spec.cols),)), lanes)
            if lanes // 2 * width > max(bounds.values(), default=0):
                bounds["shortest"] = lanes // 2 * width
        bounds["short"] = lanes * MOST_COLUMNS
    if are_kept:
        longer = sorted({*longer, *(most for of_block in threads for most in columns_kept(spec, of_block))})
    bounds |= {f"up_to_{most}": most for most in longer if most > lanes * MOST_COLUMNS}
    return _up_to(bounds, size(spec.cols))


def _up_to(bounds: Mapping[str, int], *counts: Expr) -> Iterator[Part]:
    """All counts up to one bound after another, and beyond the last."""
    beyond: Where = ()
    for name, most in bounds.items():
        within = tuple(compare("<=", count, Const(most)) for count in counts)
        yield Part(name, (*within, *beyond))
        beyond = (_not_all(within),)
    yield Part("", beyond)


def _not_all(conditions: Sequence[Expr]) -> Expr:
    """Does one of these not hold?"""
    first, *others = map(negate, conditions)
    return reduce(lambda found, each: Call("or", (found, each), "bool"), others, first)


def _by_width(part: Part, spec: Spread, lanes: int) -> Iterator[Part]:
    """A part as it is; or in several, where whole accesses may go along axes if their extents are multiples of them."""
    extents = tuple(each for each in _lengths_of_accesses(spec, lanes) if static(each) is None)
    width = _width(_by_multiples(spec, extents), lanes)
    further = tuple(dict.fromkeys((*extents, *(each for each in _lines(spec) if static(each) is None))))
    if (wider := _width(_by_multiples(spec, further), lanes)) > width:  # where pieces of lines begin
        extents, width = further, wider
    if all(is_multiple_of(extent, width, NONE) for extent in extents):
        yield part
        return
    beyond = part.where
    for each in (width, *_narrower(spec, width, part)):
        multiples = tuple(multiple_of(extent, each) for extent in extents if not is_multiple_of(extent, each, NONE))
        yield Part("_".join(filter(None, (part.name, f"by_{each}"))), (*beyond, *multiples))
        if not multiples:
            return
        beyond = (*beyond, _not_all(multiples))
    yield replace(part, where=beyond)


def _by_multiples(spec: Wide, extents: Iterable[Expr]) -> Wide:
    """The spec, of sizes that are multiples of what any access has."""
    return replace(spec, where=(*spec.where, *(multiple_of(extent, WHOLE_BYTES) for extent in extents)))


def _narrower(spec: Spread, width: int, part: Part) -> Iterator[int]:
    """Rows whose ends lie within sectors are read in fewer of them by several elements at once than one by one; but for short
    ones that come to shared memory first."""
    has_rows = isinstance(spec, Reduce) or (isinstance(spec, Map | Pack) and len(with_last_axes_joined(spec).axes) > 1)
    most = known_bound(part.where, size(spec.cols)) if isinstance(spec, Reduce) else None
    least = 4 if isinstance(spec, Reduce) and most is not None and most <= STAGED[1] and _may_be_staged(spec) else 2
    while has_rows and (width := width // 2) >= least:
        yield width


def _may_be_staged(spec: Reduce) -> bool:
    """May rows come to shared memory first, if they are short?"""
    is_short = compare("<=", size(spec.cols), Const(STAGED[0]))
    return staged_bytes(replace(spec, where=(*spec.where, is_short)), ROWS_STAGED) is not None


def _lengths_of_accesses(spec: Spread, lanes: int) -> tuple[Expr, ...]:
    """How much there is along what a thread has elements side by side of."""
    match spec:
        case Map() | Pack():
            crossing = crossing_of(spec)
            if crossing is not None:
                return crossing.along.extent, crossing.across.extent
            return (with_last_axes_joined(spec).axes[-1].extent,)
        case Reduce(rows=rows) if _are_one_thread_s(spec, lanes):
            return (rows[-1].extent,)
        case Reduce(cols=cols):
            _, end = until_end(spec)
            if end is not None and end.axis == cols[-1]:
                return (cols[-1].extent, end.extent) if variables(end.extent) <= {*spec.dims} else ()
            return (last_axes(with_last_axes_joined(spec))[-1].extent,)
        case Scan(rows=rows, along=along):
            return (rows[-1].extent,) if lanes_want_rows(spec, rows, (along,)) else (along.extent,)


def _width(spec: Spread, lanes: int) -> int:
    """How many elements that may be."""
    match spec:
        case Map() | Pack():
            crossing = crossing_of(spec)
            return elements_side_by_side(spec) if crossing is None else tile_across(spec, crossing).each
        case Reduce(rows=rows) if _are_one_thread_s(spec, lanes):
            return rows_side_by_side(spec)
        case Reduce():
            return elements_side_by_side(spec)
        case Scan(rows=rows, along=along):
            return 1 if lanes_want_rows(spec, rows, (along,)) else columns_side_by_side(spec)


def _are_one_thread_s(spec: Reduce, lanes: int) -> bool:
    """Does each row go to one thread?"""
    if not spec.rows:
        return False
    extents = (spec.rows[-1].extent, *_lines(spec))
    whole = _by_multiples(spec, tuple(each for each in extents if static(each) is None))
    return lanes_want_rows(spec, spec.rows, spec.cols) or are_short(whole, lanes)


def _lines(spec: Spread) -> tuple[Expr, ...]:
    """The innermost extents of its tensors."""
    return tuple(arg.shape[-1] for arg in spec.args if arg.shape)


def _is_open(axes: Iterable[Axis]) -> bool:
    return static(size(axes)) is None
