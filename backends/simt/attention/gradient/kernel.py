"""The kernel of a gradient of an attention on matrix units. A block has rows, whose sums stay in registers, and meets all cols
that these see, in order: nothing is added by several blocks, so that results are the same from run to run.

    rows = fragments of what dots have of a warp's rows        they stay in registers where these are few
    for tile of cols, `stages` ahead:
      s = k q, dp = v dy                                       matrix units
      s = -inf where a row does not see a col                  in tiles that have such
      p = exp2(...), ds = p * (dp - delta)                     rounded, as fragments of the next left operands
      dk += ds q, dv += p dy                                   matrix units
    sums through shared memory to accesses of 16 bytes

Where tensors begin at no multiple of 16 bytes, the same threads copy elements one by one.
"""

from __future__ import annotations

from uol.backends.c_text.names import kernel_symbol
from uol.backends.simt.attention.gradient.end import bytes_of_sums, end_of
from uol.backends.simt.attention.gradient.heads import ends_of
from uol.backends.simt.attention.gradient.place import Place
from uol.backends.simt.attention.gradient.products import Streamed
from uol.backends.simt.attention.gradient.turned import Turned
from uol.backends.simt.attention.matrix.copies import element_by_element
from uol.backends.simt.attention.matrix.place import grid_of, rows_apart
from uol.backends.simt.attention.matrix.registers import MOST_OF_TWO_WARPS
from uol.backends.simt.attention.matrix.schedule import MatrixRows
from uol.backends.simt.attention.matrix.scores import FLOAT
from uol.backends.simt.c_text.counters import as_count
from uol.backends.simt.c_text.signatures import signature, stored_tensors
from uol.backends.simt.c_text.terms import Known, Scalar
from uol.backends.simt.elements.vectors import are_aligned
from uol.backends.simt.kernel.fold import constants_folded
from uol.backends.simt.kernel.nodes import Block, Body, Buffer, Declare, If, Kernel, Statement
from uol.backends.simt.machine.fragments import MatrixUnit
from uol.backends.simt.products.matrix.kernel import LEAST_THREADS, LEAST_WARPS
from uol.codegen.backend import Launch
from uol.codegen.specs.nodes import Attention
from uol.ir.types import INDEX


def matrix_gradient(spec: Attention, tile: MatrixRows, unit: MatrixUnit) -> Kernel:
    """The kernel of an attention without a maximum, and without axes of extent 1. Blocks are numbered with the tiles of rows
    fastest."""
    place = Place.of(spec, tile, unit)
    room = loop_of(place).shared_bytes
    body = constants_folded((*place.declarations(), *_declared(place), *_summed(place), *end_of(place, room)))
    spec, names = place.spec, place.printer.names
    written = stored_tensors(spec)
    tensors = (Buffer(names.tensor(a.name), Scalar(a.dtype, True), "global", written=a.name in written) for a in spec.args)
    scalars = ((names.variable(s.name), Scalar(s.dtype)) for s in spec.scalars)
    dims = ((names.variable(name), Scalar(INDEX)) for name in spec.dims)
    least = LEAST_THREADS
    if place.is_turned:
        least = (LEAST_WARPS if Turned.of(place).registers <= MOST_OF_TWO_WARPS else 1) * place.threads
    blocks = as_count(grid_of(rows_apart(spec), tile))
    return Kernel(
        title=place.title(),
        signature=signature(spec, kernel_symbol(spec), names, place.threads, place.index, least_threads=least),
        launch=Launch((blocks, 1, 1), (place.threads, 1, 1), shared_bytes=shared_bytes(place)),
        index_type=place.index.ctype,
        buffers=tuple(tensors),
        scalars=(*scalars, *dims),
        body=body,
    )


def loop_of(place: Place, *, by_elements: bool = False) -> Streamed | Turned:
    """The loop of a machine; `by_elements`: of tensors that begin at no multiple of 16 bytes."""
    return Turned.of(place, "load_elements" if by_elements else "load_words") if place.is_turned else Streamed.of(place)


def shared_bytes(place: Place) -> int:
    """Of the stages, or of the sums in their place."""
    room = loop_of(place).shared_bytes
    return max(room, bytes_of_sums(place, room))


def _declared(place: Place) -> Body:
    """The sums of a warp's rows."""
    found: list[Statement] = []
    for number, each in enumerate(place.form.sums):
        extent = (place.row_fragments, place.width_fragments(number), place.unit.d.registers)
        found.append(Declare(place.sums(each).name, FLOAT, extent=extent, zeroed=True, line=each.line))
    return tuple(found)


def _summed(place: Place) -> Body:
    """The loop, by whole accesses where tensors begin at multiples of them; workspaces do."""
    workspaces = {arg.name for arg in place.spec.args if arg.role == "workspace"}
    asked = [each.read.tensor for each in (*place.operands.rows, *place.operands.cols) if each.read.tensor not in workspaces]
    whole = (*ends_of(place), *loop_of(place).loop())
    if not asked:
        return (Block(whole),)
    aligned = Known(are_aligned(list(dict.fromkeys(asked))), place.printer)
    single = (*ends_of(place), *loop_of(place, by_elements=True).loop())
    return (If(aligned, whole, element_by_element(single)),)
