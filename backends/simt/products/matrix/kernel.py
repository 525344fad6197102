"""The kernel of a product on matrix units.

Tiles of k are counted from the end, so that only the first can be partial: its k before the first are zeros. Rows and columns
beyond the last are the last again, or zeros; they are not stored. Where tensors begin at no multiple of 16 bytes, the same
threads sum the same elements one by one; so do those that have a sum of factors in parts that is not finite, for an infinite
factor has NaN in its second part.
"""

from __future__ import annotations

from uol.backends.c_text.names import kernel_symbol
from uol.backends.simt.c_text.counters import as_count
from uol.backends.simt.c_text.signatures import signature, stored_tensors
from uol.backends.simt.c_text.terms import Known, Local, Primitive, Scalar
from uol.backends.simt.elements.vectors import are_aligned
from uol.backends.simt.kernel.fold import constants_folded
from uol.backends.simt.kernel.nodes import Block, Body, Buffer, Declare, If, Kernel, PerWarp
from uol.backends.simt.machine.fragments import MatrixUnit
from uol.backends.simt.products.matrix.asynchronous import Asynchronous
from uol.backends.simt.products.matrix.epilogue import Epilogue, room_of_sums
from uol.backends.simt.products.matrix.one_by_one import OneByOne
from uol.backends.simt.products.matrix.operand import products_of
from uol.backends.simt.products.matrix.place import IS_WHOLE, Place, is_over
from uol.backends.simt.products.matrix.registers import ThroughRegisters
from uol.backends.simt.products.matrix.row_sums import RowSums
from uol.backends.simt.products.matrix.schedule import MatrixTile
from uol.backends.simt.products.matrix.segments import SCRATCH, is_segment
from uol.codegen.backend import Launch
from uol.codegen.indexing.arithmetic import ZERO
from uol.codegen.specs.nodes import Contract
from uol.ir.program.nodes import Call
from uol.ir.types import INDEX

LEAST_THREADS = 256
"""On a core of CUDA, that a compiler may count on: a thread then has up to 255 of its 65,536 registers."""
LEAST_WARPS = 2
"""On each of the four units of a core of HIP, whose threads then have up to 256 registers. Its `__launch_bounds__` asks for
these (HIP C++ language extensions)."""


def matrix_kernel(spec: Contract, tile: MatrixTile, unit: MatrixUnit, most_shared: int) -> Kernel:
    """The kernel of a contraction of two matrices, or of the sum of several, with a loop over k for each. Blocks are numbered
    with the tiles of n fastest, then m, then batches. `most_shared`: bytes of shared memory that a launch may ask for."""
    places = tuple(Place.of(product, tile, unit) for product in products_of(spec))
    place = places[0]
    loops = tuple(ThroughRegisters(each) if each.owned.exchanged else Asynchronous(each) for each in places)
    room = max(loop.shared_bytes for loop in loops)
    epilogue = Epilogue(place, room_of_sums(tile, unit, room, most_shared))
    beside = RowSums(place)
    added = (sums(each, loop.statements(), apart=len(places) > 1) for each, loop in zip(places, loops, strict=True))
    products = (*(statement for each in added for statement in each), *beside.statements())
    body = constants_folded((*place.declarations(), *beside.declarations(), *products, *epilogue.statements()))
    spec, names = place.spec, place.printer.names
    written = stored_tensors(spec)
    tensors = (Buffer(names.tensor(a.name), Scalar(a.dtype, True), "global", written=a.name in written) for a in spec.args)
    scratch = Buffer(SCRATCH, Scalar(INDEX), "shared", PerWarp(place.threads))
    arrays = (scratch,) if is_over(spec, "rows") else ()
    scalars = ((names.variable(s.name), Scalar(s.dtype)) for s in spec.scalars)
    dims = ((names.variable(name), Scalar(INDEX)) for name in spec.dims)
    least = LEAST_WARPS * place.threads if place.owned.exchanged else LEAST_THREADS
    shared_bytes = max(room, epilogue.bytes)
    return Kernel(
        title=place.title(),
        signature=signature(spec, kernel_symbol(spec), names, place.threads, place.index, least_threads=least),
        launch=Launch((as_count(place.grid.blocks), 1, 1), (place.threads, 1, 1), shared_bytes=shared_bytes),
        index_type=place.index.ctype,
        buffers=(*arrays, *tensors),
        scalars=(*scalars, *dims),
        body=body,
    )


def sums(place: Place, whole: Body, *, apart: bool) -> Body:
    """The sums of a product; of rows, where they are of a segment. `apart`: with names of their own, where others follow."""
    if is_over(place.spec, "rows"):
        return (If(is_segment(place.spec, place.printer), _by_place(place, whole, apart=False)),)
    return _by_place(place, whole, apart=apart)


def _by_place(place: Place, whole: Body, *, apart: bool) -> Body:
    """The sums by accesses of 16 bytes, where both operands begin at multiples of it; workspaces do."""
    tensors = dict.fromkeys(side.operand.read.tensor for side in place.sides)
    workspaces = {arg.name for arg in place.spec.args if arg.role == "workspace"}
    asked = [tensor for tensor in tensors if tensor not in workspaces]
    aligned = Known(are_aligned(asked), place.printer)
    one_by_one = OneByOne(place).sums(RowSums(place).one_by_one)
    if not place.unit.is_by_parts:
        return (If(aligned, whole, (one_by_one,)),) if asked else (Block(whole),) if apart else whole
    count = place.rows * place.cols * place.unit.d.registers
    finite = Primitive("are_finite", (count,), (place.fragment(ZERO, ZERO),), Scalar("bool"))
    in_order: Body = (*place.zeroed(), one_by_one)
    if not asked:
        return (*whole, If(Call("not", (finite,), "bool"), in_order))
    is_whole = Local(place.printer.names.variable(IS_WHOLE), Scalar("bool"))
    by_units = Call("and", (is_whole, finite), "bool")
    return (
        Declare(is_whole.name, is_whole.kind, aligned),
        If(is_whole, whole),
        If(Call("not", (by_units,), "bool"), in_order),
    )
