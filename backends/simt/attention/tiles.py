"""What a tile of an attention takes of a block: shared memory, registers, blocks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import reduce

from uol.backends.simt.attention.schedule import LANES_A_ROW, RowTile
from uol.backends.simt.c_text.counters import parts_of
from uol.backends.simt.products.operand import pitch, unit_stride_is_k
from uol.codegen.attention.parts import dot_product, weighted_product, weights_of
from uol.codegen.indexing.arithmetic import ONE, mul, size, static
from uol.codegen.names import unused
from uol.codegen.specs.nodes import Attention, Contract, Weighted
from uol.codegen.specs.sizes import known_bound
from uol.codegen.specs.traverse import reads
from uol.ir.integers.terms import idx
from uol.ir.program.nodes import Axis, Expr
from uol.ir.types import DTYPES

BANKS = 32
"""Of shared memory, a word wide, on every SIMT target (CUDA C++ Programming Guide; CDNA2 ISA, LDS)."""

WIDTHS = (16, 32, 64, 96, 128, 192, 256)
"""What a width that is an argument is at most, for kernels of their own: what a thread sums of it stays in registers, whose
number is in the text. Of a wider one a block has a part."""


@dataclass(frozen=True, slots=True)
class Operand:
    """A factor of one product on its way through shared memory: `outer` elements of each of k, under names of its own for the
    array and for a thread's registers."""

    product: Contract
    factor: Expr
    axes: tuple[Axis, ...]
    outer: int
    names: tuple[str, str]

    @property
    def bytes(self) -> int:
        """Of a step of one k."""
        element = DTYPES[self.product.acc_dtype].bytes
        return element * pitch(self.outer, element, unit_stride_is_k(self.factor, self.axes, self.product.k))


def row_blocks(spec: Attention, tile: RowTile) -> Expr:
    """One a tile of rows and part of the widths, for every batch."""
    return mul(size(spec.batch), mul(parts_of(size(spec.rows), tile.rows), parts_of_widths(spec)))


def open_widths(spec: Attention) -> tuple[Expr, ...]:
    """The widths that are arguments."""
    return tuple(dict.fromkeys(width for s in spec.sums if static(width := size(s.width)) is None))


def has_parts(spec: Attention) -> bool:
    """Have blocks parts of the widths? Where one of these has no bound."""
    return any(known_bound(spec.where, width) is None for width in open_widths(spec))


def parts_of_widths(spec: Attention) -> Expr:
    """How many blocks have the same rows, each with a part of every width if one is left; each makes the scores again."""
    if not has_parts(spec):
        return ONE
    parts = dict.fromkeys(parts_of(size(s.width), WIDTHS[-1]) for s in spec.sums)
    return reduce(lambda most, each: idx("max", most, each), (each for each in parts if each != ONE))


def thread_width(spec: Attention, total: Weighted) -> int:
    """How much of a width, or of a block's part of it, a thread owns."""
    width = size(total.width)
    most = known_bound(spec.where, width) or WIDTHS[-1]
    if (known := static(width)) is not None:
        most = min(known, WIDTHS[-1]) if has_parts(spec) else known
    return -(-most // LANES_A_ROW)


def accumulators(spec: Attention, tile: RowTile) -> int:
    """Of a thread: its part of every dot, and of every sum."""
    return tile.thread_rows * (tile.thread_cols * len(spec.dots) + sum(thread_width(spec, s) for s in spec.sums))


def weight_pitch(cols: int) -> int:
    """Elements from one row of weights to the next: the two or four rows that a warp writes fall into different banks."""
    return cols + LANES_A_ROW if cols % BANKS == 0 else cols


def shared_bytes(spec: Attention, tile: RowTile) -> int:
    """Of a block: what is staged of the operands, and the weights of the tile."""
    staged = sum(tile.k * o.bytes for o in operands(spec, tile))
    return staged + sum(tile.rows * weight_pitch(tile.cols) * DTYPES[w.dtype].bytes for w in weights_of(spec))


def operands(spec: Attention, tile: RowTile) -> tuple[Operand, ...]:
    """Both factors of every dot, then the values of every sum."""
    return tuple(_named(_factors(spec, tile)))


def _factors(spec: Attention, tile: RowTile) -> Iterator[tuple[Contract, Expr, tuple[Axis, ...], int]]:
    for dot in spec.dots:
        product = dot_product(spec, dot)
        yield product, product.a, spec.rows, tile.rows
        yield product, product.b, spec.cols, tile.cols
    for total in spec.sums:
        product = weighted_product(spec, total)
        yield product, product.b, total.width, thread_width(spec, total) * LANES_A_ROW


def _named(factors: Iterable[tuple[Contract, Expr, tuple[Axis, ...], int]]) -> Iterator[Operand]:
    """The tensor's name, so that a reader knows what is in an array."""
    taken: set[str] = set()
    for product, factor, axes, outer in factors:
        name = unused(f"${next(reads(factor)).tensor}_tile", taken)
        taken.add(name)
        yield Operand(product, factor, axes, outer, (name, name.replace("_tile", "_part")))
