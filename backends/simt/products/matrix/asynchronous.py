"""Tiles that come to shared memory by asynchronous copies, some stages ahead, and fragments that come from there by `ldmatrix`,
which transposes where fragments want it otherwise than the operand lies: sm_80 and later.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from uol.backends.simt.c_text.address import flipped, quotient, remainder, scaled, total
from uol.backends.simt.c_text.terms import Address, Element, Local, Offset, Pointer, Primitive, Scalar, Word
from uol.backends.simt.kernel.layouts import CHUNK_BYTES, SharedTile
from uol.backends.simt.kernel.nodes import Assign, Body, CopyAsync, Declare, LoadMatrix, Multiply, Statement
from uol.backends.simt.kernel.pipeline import READ, WRITE, TileLoop, asynchronous
from uol.backends.simt.products.matrix.operand import Operand, Side
from uol.backends.simt.products.matrix.place import (
    BEFORE,
    EACH,
    KK,
    LANE,
    MI,
    NI,
    SHARED,
    THREAD,
    TILES,
    Place,
    index,
    unrolled,
)
from uol.backends.simt.products.matrix.schedule import MatrixTile
from uol.codegen.indexing.arithmetic import ZERO, static
from uol.ir.program.nodes import Call, Const, Expr
from uol.ir.types import INDEX

PAIR = Local("pair")
ROWS = 16
"""Of memory that four matrices of one `ldmatrix` cover, two below each other; two chunks lie beside each other."""


@dataclass(frozen=True, slots=True)
class Copies:
    """How `threads` copy a tile of an operand of `outer` x `k` elements, 16 bytes each. `is_full`: is all of it there?"""

    operand: Operand
    outer: int
    k: int
    threads: int
    is_full: bool = False

    @property
    def tile(self) -> SharedTile:
        rows, elements = (self.outer, self.k) if self.operand.along_k else (self.k, self.outer)
        return SharedTile(rows, elements * self.operand.bytes)

    @property
    def rows_a_turn(self) -> int:
        return self.threads // self.tile.chunks

    @property
    def turns(self) -> int:
        """Chunks that each thread copies."""
        return self.tile.rows // self.rows_a_turn

    @property
    def row(self) -> Expr:
        """Of the first chunk of a thread."""
        return quotient(THREAD, self.tile.chunks)

    @property
    def chunk(self) -> Expr:
        """Of a row, the same in each turn."""
        return remainder(THREAD, self.tile.chunks)

    @property
    def is_one_pointer(self) -> bool:
        """Are all rows of a thread as far apart, and known to be there?"""
        return (self.is_full or not self.operand.along_k) and static(self.operand.pitch) is not None

    def defect(self) -> str | None:
        """Why that is not possible."""
        tile = self.tile
        if tile.row_bytes % CHUNK_BYTES or tile.chunks & (tile.chunks - 1):
            return f"rows of {tile.row_bytes} bytes are no power of two of {CHUNK_BYTES} bytes"
        if self.threads % tile.chunks or tile.rows % self.rows_a_turn or self.rows_a_turn % tile.repeats:
            return f"{self.threads} threads do not copy {tile.rows} rows of {tile.row_bytes} bytes in whole turns"
        if ROWS % tile.repeats:
            return f"rows of {tile.row_bytes} bytes are too short for fragments of {ROWS} rows"
        return None


@dataclass(frozen=True, slots=True)
class Asynchronous:
    """The loop over tiles of k of one kernel."""

    place: Place

    def copies(self, side: Side) -> Copies:
        return Copies(side.operand, side.tile, self.place.tile.k, self.place.threads, self.place.count(side) is None)

    def at(self, side: Side) -> int:
        """Where a side's tile begins in a stage."""
        return 0 if side is self.place.a else self.copies(self.place.a).tile.bytes

    @property
    def shared_bytes(self) -> int:
        return stages_bytes(self.place.tile, *(self.copies(side) for side in self.place.sides))

    def statements(self) -> Body:
        """Addresses and the pipeline."""
        place, tile = self.place, self.place.tile
        loop = TileLoop(
            count=TILES,
            first=tuple(self._fetch(side, guarded=place.k_is_padded) for side in place.sides),
            fetch=tuple(self._fetch(side, guarded=False) for side in place.sides),
            compute=self._compute(),
            advance=tuple(self._advance(side) for side in place.sides),
            stage_bytes=self.shared_bytes // tile.stages,
        )
        addresses = (statement for side in place.sides for statement in self._addresses(side))
        return (*place.tiles_of_k(), *addresses, *asynchronous(loop, tile.stages, tile.unroll))

    def _addresses(self, side: Side) -> Iterable[Statement]:
        """Where a thread copies to, from, and from which k on; and where its fragments are."""
        place, copies, kind = self.place, self.copies(side), _pointer(side)
        name, chunk = place.name(side, "from"), scaled(copies.chunk, side.operand.each)
        yield index(place.name(side, "to"), copies.tile.chunk(copies.row, copies.chunk))
        if copies.is_one_pointer:
            yield Declare(name, kind, self._first(side, copies.row, chunk), constant=False)
        else:
            row = total(copies.row, scaled(EACH, copies.rows_a_turn))
            yield Declare(name, kind, extent=copies.turns)
            yield unrolled("i", copies.turns, Assign(Element(Local(name, kind), EACH, kind), self._first(side, row, chunk)))
        if place.k_is_padded:
            first = chunk if side.operand.along_k else copies.row
            yield index(place.name(side, "k"), Call("-", (first, BEFORE), INDEX))
        yield index(place.name(side, "at"), self._fragment(side)[0])

    def _first(self, side: Side, row: Expr, chunk: Expr) -> Expr:
        """The element at a row of the first tile and a chunk, of which the compiler does not know how it was made: or it makes
        the pointer anew in the loop, out of what it has in common with others."""
        place, operand = self.place, side.operand
        if operand.along_k:
            parts = (place.times(place.clamped(side, total(side.origin, row), Const(1)), operand.pitch), chunk)
            before: Expr = BEFORE
        else:
            inner = place.clamped(side, total(side.origin, chunk), Const(operand.each))
            parts = (inner, place.times(total(place.first_term, row), operand.pitch))
            before = place.times(BEFORE, operand.pitch)
        first = () if operand.first == ZERO else (place.known(operand.first),)
        at = total(*first, *parts)
        at = Call("-", (at, before), INDEX) if place.k_is_padded else at
        tensor = place.printer.names.tensor(operand.read.tensor)
        return Primitive("pinned", (), (Pointer(tensor, at),), _pointer(side))

    def _fetch(self, side: Side, *, guarded: bool) -> Statement:
        """The copies of a thread."""
        place, copies = self.place, self.copies(side)
        to = total(Local(place.name(side, "to")), copies.tile.rows_further(EACH, copies.rows_a_turn), WRITE, self.at(side))
        valid: Expr | None = None
        if guarded:
            first = Local(place.name(side, "k"))
            k = first if side.operand.along_k else total(first, scaled(EACH, copies.rows_a_turn))
            valid = Call(">=", (k, ZERO), "bool")
        return unrolled("i", copies.turns, CopyAsync(Pointer(SHARED, to), self._source(side), CHUNK_BYTES, valid))

    def _source(self, side: Side) -> Expr:
        name, copies = self.place.name(side, "from"), self.copies(side)
        if copies.is_one_pointer:
            return Pointer(name, self.place.times(scaled(EACH, copies.rows_a_turn), side.operand.pitch))
        return Element(Local(name, _pointer(side)), EACH, _pointer(side))

    def _advance(self, side: Side) -> Statement:
        """The pointers of a thread move on by a tile."""
        place, copies = self.place, self.copies(side)
        step: Expr = Const(place.tile.k)
        step = step if side.operand.along_k else place.times(step, side.operand.pitch)
        name = Local(place.name(side, "from"), _pointer(side))
        if copies.is_one_pointer:
            return Assign(name, step, "+=")
        return unrolled("i", copies.turns, Assign(Element(name, EACH, _pointer(side)), step, "+="))

    def _fragment(self, side: Side) -> tuple[Expr, Expr, Expr]:
        """Where a lane finds its row of four matrices of an operand: the byte for the first of them, which the lane decides,
        what it is exclusive-ored with, and what is added for others. Of a those of one fragment, 16 of m by two chunks of k;
        of b those of two, 16 of n by as many."""
        tile, number = self.copies(side).tile, MI if side is self.place.a else PAIR
        below, beside = remainder(LANE, 16), quotient(LANE, 16)
        if side.operand.along_k != (side is self.place.a):  # rows below each other are the second matrix of a, the third of b
            below, beside = total(remainder(LANE, 8), scaled(quotient(LANE, 16), 8)), remainder(quotient(LANE, 8), 2)
        if side.operand.along_k:
            byte = tile.chunk(total(side.first_of_warp, below), beside)
            return byte, scaled(KK, 2 * CHUNK_BYTES), tile.rows_further(number, ROWS)
        chunk = flipped(scaled(side.warp, side.within_warp // side.operand.each), beside)
        return tile.chunk(below, chunk), scaled(number, 2 * CHUNK_BYTES), tile.rows_further(KK, ROWS)

    def _compute(self) -> Body:
        """A warp's part of a tile: for each step of k its fragments, and their products."""
        place, unit = self.place, self.place.unit
        numbers = {place.a.called: (MI, place.rows), place.b.called: (PAIR, place.cols // 2)}
        declared, loads = [], []
        for side in place.sides:
            number, count = numbers[side.called]
            array = Local(place.name(side, "part"), Word())
            _, flips, adds = self._fragment(side)
            at = total(flipped(Local(place.name(side, "at")), flips), adds, READ, self.at(side))
            load = LoadMatrix(Element(array, number, Word()), Pointer(SHARED, at), transposed=not side.operand.along_k)
            declared.append(Declare(array.name, Word(), extent=(count, 4)))
            loads.append(unrolled(number.name, count, load))
        a, b = (Local(place.name(side, "part"), Word()) for side in place.sides)
        of_pair = Offset(Element(b, quotient(NI, 2), Word()), scaled(remainder(NI, 2), 2))
        product = Multiply(unit, place.fragment(MI, NI), Element(a, MI, Word()), of_pair)
        products = unrolled("mi", place.rows, unrolled("ni", place.cols, product))
        return (unrolled("kk", place.tile.k // unit.k, *declared, *loads, products),)


def stages_bytes(tile: MatrixTile, a: Copies, b: Copies) -> int:
    """Shared memory of all stages."""
    return tile.stages * (a.tile.bytes + b.tile.bytes)


def _pointer(side: Side) -> Address:
    return Address(Scalar(side.operand.read.dtype, True))
