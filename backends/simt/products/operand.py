"""One operand of a product on its way through shared memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from uol.backends.simt.c_text.counters import Counter, is_multiple
from uol.backends.simt.c_text.printer import Printer
from uol.backends.simt.c_text.proofs import WIDE
from uol.backends.simt.c_text.terms import THREAD, Element, Known, Local, Pointer, Scalar, Wide, plus, times
from uol.backends.simt.elements.strides import smallest_stride
from uol.backends.simt.kernel.nodes import Buffer, Declare, Leave, Loop, Store
from uol.backends.simt.kernel.scope import Scope, where_natural
from uol.codegen.indexing.arithmetic import ONE, sub
from uol.codegen.specs.nodes import Contract
from uol.codegen.specs.traverse import main_read
from uol.ir.program.nodes import Axis, Call, Const, Expr
from uol.ir.program.walk import variables
from uol.ir.types import DTYPES, INDEX

WORD_BYTES = 4
"""A bank of shared memory is one word wide on every SIMT target (CUDA C++ Programming Guide; CDNA2 ISA, LDS)."""
SLOT, K0 = Local("slot"), Local("k0")
"""Which element of a tile a thread loads, and where a step along k begins."""


@dataclass(frozen=True, slots=True)
class Side:
    """One operand of a product: `outer` counts m or n, whose first element in the block is the variable `origin` (empty: 0);
    `names` are those of the shared array and of the registers. `beyond`: blocks may begin behind the last of them."""

    factor: Expr
    names: tuple[str, str]
    outer: Counter
    origin: str
    tile: int
    beyond: bool = False


@dataclass(frozen=True, slots=True)
class Operand:
    """`array[tile_k][pitch]` in shared memory, the registers `part` of a thread, and the loop by which a block fills the
    array."""

    array: str
    part: str
    tile_k: int
    pitch: int
    kind: Scalar
    load: Loop

    @property
    def buffer(self) -> Buffer:
        return Buffer(self.array, self.kind, "shared", (self.tile_k, self.pitch))

    def element(self, k: Expr, outer: Expr) -> Element:
        """Of the array."""
        return element_of(self.array, self.kind, k, outer)


def element_of(array: str, kind: Scalar, k: Expr, outer: Expr) -> Element:
    """`array[k][outer]`"""
    return Element(Element(Pointer(array), k, kind), outer, kind)


def tile_names(spec: Contract) -> tuple[tuple[str, str], tuple[str, str]]:
    """Names for the shared array and the registers of each operand: the tensor's, so that a reader knows what is in it."""
    a, b = main_read(spec.a).tensor, main_read(spec.b).tensor
    if a == b:
        return (f"${a}_m_tile", f"${a}_m_part"), (f"${b}_n_tile", f"${b}_n_part")
    return (f"${a}_tile", f"${a}_part"), (f"${b}_tile", f"${b}_part")


def unit_stride_is_k(factor: Expr, outer: Sequence[Axis], k: Sequence[Axis]) -> bool:
    """Do neighbouring addresses of an operand lie along k? Then the lanes load along k."""
    read = main_read(factor)
    return smallest_stride(read, k) < smallest_stride(read, outer)


def pitch(tile: int, element_bytes: int, lanes_along_k: bool) -> int:
    """Elements from one k to the next. Lanes that store along k would meet in one bank without a pad: with two words
    a row, the 16 x 2 elements of 32 lanes fall into 32 banks."""
    return tile + max(2 * WORD_BYTES // element_bytes, 1) if lanes_along_k else tile


def staged_operand(
    spec: Contract, side: Side, k: Counter, tile_k: int, threads: int, printer: Printer, k_end: Expr | None = None
) -> Operand:
    """One operand. `k_end`: where the sum ends, if not with the last k. Beyond the last m or n the last one is loaded again:
    its sums are never stored, and nothing needs to be filled in. A k that does not exist is neither loaded nor used."""
    outer, tile = side.outer, side.tile
    along_k = unit_stride_is_k(side.factor, outer.axes, k.axes)
    inner = Const(tile_k if along_k else tile)
    slow, fast = Call("/", (SLOT, inner), INDEX), Call("%", (SLOT, inner), INDEX)
    outer_at, k_at = (slow, fast) if along_k else (fast, slow)
    printer = where_natural(printer, SLOT)
    position = plus(Local(side.origin), outer_at) if side.origin else outer_at
    if side.beyond or not is_multiple(outer.count, tile):
        known = position if side.origin or printer.index_type != WIDE else Wide(position)
        position = Call("min", (known, sub(outer.count, ONE)), INDEX)
    k_name, kind = printer.names.variable(k.name), Scalar(spec.acc_dtype)
    scope = Scope(printer)
    scope.put(
        Declare(printer.names.variable(outer.name), Scalar(INDEX), Known(position, printer)),
        Declare(k_name, Scalar(INDEX), Known(plus(K0, k_at), printer)),
    )
    bound = k_end or (None if is_multiple(k.count, tile_k) else k.count)
    if bound is not None:
        scope.put(Leave("continue", Known(Call(">=", (Local(k_name), bound), "bool"), printer)))
    factor = k.shorter(outer.shorter(side.factor))
    needed = variables(factor)
    scope.axes(outer, needed)
    scope.axes(k, needed)
    value = scope.value(factor)
    array, part = (printer.names.variable(name) for name in side.names)
    scope.put(Store(Known(element_of(array, kind, k_at, outer_at), printer), value, line=spec.line))
    load = Loop(SLOT.name, THREAD, times(Const(tile), tile_k), tuple(scope.body), step=threads, few=True)
    return Operand(array, part, tile_k, pitch(tile, DTYPES[spec.acc_dtype].bytes, along_k), kind, load)


