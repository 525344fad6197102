"""Parts of the sizes by how many elements an access may have, and those of kernels over elements.

    maps      elements side by side, where the last extent is a multiple of them; else one by one
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TypeVar

from uol.backends.simt.elements.multiples import NONE, is_multiple_of
from uol.backends.simt.elements.transposed import crossing_of, tile_across
from uol.backends.simt.elements.wide_axes import elements_side_by_side, with_last_axes_joined
from uol.backends.simt.kernel.parts import ALL, Part, not_all
from uol.backends.simt.machine.limits import WHOLE_BYTES
from uol.backends.simt.machine.target import Machine
from uol.codegen.indexing.arithmetic import static
from uol.codegen.specs.nodes import Map, Pack, Reduce, Scan
from uol.codegen.specs.sizes import multiple_of
from uol.ir.program.nodes import Expr

Wide = TypeVar("Wide", bound=Map | Pack | Reduce | Scan)


def parts_of_elements(spec: Map | Pack, machine: Machine) -> Iterator[Part]:
    """The parts by the width of an access; a spec of no axes has none."""
    if spec.axes:
        has_rows = len(with_last_axes_joined(spec).axes) > 1
        yield from by_width(ALL, spec, _lengths(spec), _width, 2 if has_rows else None)


def _lengths(spec: Map | Pack) -> tuple[Expr, ...]:
    crossing = crossing_of(spec)
    if crossing is not None:
        return crossing.along.extent, crossing.across.extent
    return (with_last_axes_joined(spec).axes[-1].extent,)


def _width(spec: Map | Pack) -> int:
    crossing = crossing_of(spec)
    return elements_side_by_side(spec) if crossing is None else tile_across(spec, crossing).each


def by_width(
    part: Part, spec: Wide, lengths: Sequence[Expr], width_of: Callable[[Wide], int], least: int | None = None
) -> Iterator[Part]:
    """A part as it is; or in several, where whole accesses may go along axes if their extents are multiples of them.

    `lengths` say how much there is along what a thread has elements side by side of, `width_of` how many elements that may be.
    Rows whose ends lie within sectors are read in fewer of them by several elements at once than one by one, down to `least`.
    """
    extents = tuple(each for each in lengths if static(each) is None)
    width = width_of(by_multiples(spec, extents))
    further = tuple(dict.fromkeys((*extents, *(each for each in lines(spec) if static(each) is None))))
    if (wider := width_of(by_multiples(spec, further))) > width:  # where pieces of lines begin
        extents, width = further, wider
    if all(is_multiple_of(extent, width, NONE) for extent in extents):
        yield part
        return
    beyond = part.where
    for each in (width, *_halves(width, least)):
        multiples = tuple(multiple_of(extent, each) for extent in extents if not is_multiple_of(extent, each, NONE))
        yield replace(part, where=beyond).narrowed(f"by_{each}", multiples)
        if not multiples:
            return
        beyond = (*beyond, not_all(multiples))
    yield replace(part, where=beyond)


def _halves(width: int, least: int | None) -> Iterator[int]:
    while least is not None and (width := width // 2) >= least:
        yield width


def by_multiples(spec: Wide, extents: Iterable[Expr]) -> Wide:
    """The spec, of sizes that are multiples of what any access has."""
    return replace(spec, where=(*spec.where, *(multiple_of(extent, WHOLE_BYTES) for extent in extents)))


def lines(spec: Map | Pack | Reduce | Scan) -> tuple[Expr, ...]:
    """The innermost extents of its tensors."""
    return tuple(arg.shape[-1] for arg in spec.args if arg.shape)
