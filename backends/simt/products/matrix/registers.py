"""Tiles that come to shared memory through registers, while the one before is multiplied, and fragments that come from there
in accesses of 16 bytes along k: gfx90a.

Shared memory has every tile with k along its rows. Of an operand that lies along m or n a thread has four rows of k by four
neighbours, which it turns in its registers. The operands change places in the instruction, y^T = b^T a^T, so that a lane owns
four neighbours along n.

Loads are of a range of memory, at an offset of 32 bits: what is not valid lies beyond it, and is zeros. Rows along k are a
range, of which tiles of k are further parts; where k goes from row to row, the range moves on with the tiles, for all rows may
be too many bytes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from uol.backends.simt.c_text.address import flipped, quotient, remainder, scaled, total
from uol.backends.simt.c_text.terms import Address, BufferRange, Element, Local, Offset, Pointer, Primitive, Scalar, Word
from uol.backends.simt.kernel.layouts import CHUNK_BYTES, SharedTile
from uol.backends.simt.kernel.nodes import Assign, Body, Declare, Do, Multiply, Statement
from uol.backends.simt.kernel.pipeline import READ, WRITE, TileLoop, through_registers
from uol.backends.simt.products.matrix.operand import Operand, Side
from uol.backends.simt.products.matrix.place import (
    BEFORE,
    EACH,
    KK,
    LANE,
    MI,
    NEXT,
    NI,
    SHARED,
    THREAD,
    TILES,
    Place,
    index,
    nest,
    unrolled,
)
from uol.codegen.indexing.arithmetic import ONE, ZERO, static
from uol.ir.program.nodes import Call, Const, Expr
from uol.ir.types import INDEX

HALF = Local("half")
BLOCK = 4
"""Rows of k, and neighbours along m or n, that a thread turns."""
STAGES = 2
WORD_BYTES = 4


@dataclass(frozen=True, slots=True)
class Moves:
    """How `threads` bring a tile of an operand of `outer` x `k` elements to shared memory."""

    operand: Operand
    outer: int
    k: int
    threads: int

    @property
    def tile(self) -> SharedTile:
        return SharedTile(self.outer, self.k * self.operand.bytes, interleave=1 if self.operand.along_k else BLOCK)

    @property
    def across(self) -> int:
        """Threads side by side along a row of memory: of a chunk each, or of four neighbours."""
        return self.tile.chunks if self.operand.along_k else self.outer // BLOCK

    @property
    def each(self) -> int:
        """Neighbours of a thread in a row."""
        return self.operand.each if self.operand.along_k else BLOCK

    @property
    def rows_a_turn(self) -> int:
        """Rows of memory that all threads have together."""
        return self.threads // self.across * (1 if self.operand.along_k else BLOCK)

    @property
    def turns(self) -> int:
        return (self.outer if self.operand.along_k else self.k) // self.rows_a_turn

    @property
    def row(self) -> Expr:
        """The first of a thread."""
        return scaled(quotient(THREAD, self.across), 1 if self.operand.along_k else BLOCK)

    @property
    def col(self) -> Expr:
        return scaled(remainder(THREAD, self.across), self.each)

    def defect(self) -> str | None:
        """Why that is not possible."""
        tile, rows = self.tile, self.outer if self.operand.along_k else self.k
        if tile.row_bytes % CHUNK_BYTES or tile.chunks & (tile.chunks - 1):
            return f"rows of {tile.row_bytes} bytes are no power of two of {CHUNK_BYTES} bytes"
        if self.threads % self.across or rows % self.rows_a_turn:
            return f"{self.threads} threads do not move {self.outer} x {self.k} elements in whole turns"
        if self.operand.along_k and self.rows_a_turn % tile.repeats:
            return f"{self.rows_a_turn} rows of {tile.row_bytes} bytes a turn have their chunks in several orders"
        if not self.operand.along_k and (self.operand.bytes != 2 or self.turns > 1 and self.rows_a_turn % self.operand.each):
            return f"{self.operand.read.dtype} is not turned in registers, {self.rows_a_turn} rows of k a turn"
        return None


@dataclass(frozen=True, slots=True)
class ThroughRegisters:
    """The loop over tiles of k of one kernel."""

    place: Place

    def moves(self, side: Side) -> Moves:
        return Moves(side.operand, side.tile, self.place.tile.k, self.place.threads)

    def at(self, side: Side) -> int:
        """Where a side's tile begins in a stage."""
        return 0 if side is self.place.a else self.moves(self.place.a).tile.bytes

    @property
    def shared_bytes(self) -> int:
        return STAGES * sum(self.moves(side).tile.bytes for side in self.place.sides)

    def statements(self) -> Body:
        """Addresses and the pipeline."""
        place = self.place
        loop = TileLoop(
            count=TILES,
            first=tuple(s for side in place.sides for s in self._fetch(side, guarded=place.k_is_padded)),
            fetch=tuple(s for side in place.sides for s in self._fetch(side, guarded=False)),
            place=tuple(s for side in place.sides for s in self._to_shared(side)),
            compute=self._compute(),
            advance=tuple(self._advance(side) for side in place.sides),
            stage_bytes=self.shared_bytes // STAGES,
        )
        addresses = (statement for side in place.sides for statement in self._addresses(side))
        return (*place.tiles_of_k(), *addresses, *through_registers(loop))

    def _addresses(self, side: Side) -> Iterable[Statement]:
        """Where a block's rows begin, what a thread reads of them, and where it puts that; where its fragments are."""
        place, moves, operand = self.place, self.moves(side), side.operand
        yield Declare(place.name(side, "from"), _pointer(side), self._first(side), constant=operand.along_k)
        if operand.along_k:
            yield self._range(side)
            yield Declare(place.name(side, "step"), Scalar(INDEX), ZERO, constant=False)
        if self._is_one_lane_offset(side):
            yield index(place.name(side, "at"), self._lane(side, moves.row))
        else:
            name = place.name(side, "at")
            yield Declare(name, Scalar(INDEX), extent=moves.turns)
            further = total(moves.row, scaled(EACH, moves.rows_a_turn))
            yield unrolled("i", moves.turns, Assign(Element(Local(name), EACH, Scalar(INDEX)), self._lane(side, further)))
        if place.k_is_padded:
            yield index(place.name(side, "k"), Call("-", (moves.col if operand.along_k else moves.row, BEFORE), INDEX))
        yield index(place.name(side, "to"), self._target(side))
        yield index(place.name(side, "part_at"), self._fragment(side)[0])
        extent = (moves.turns, 4) if operand.along_k else (moves.turns, BLOCK, BLOCK * operand.bytes // WORD_BYTES)
        yield Declare(place.name(side, "in"), Word(), extent=extent)

    def _is_one_lane_offset(self, side: Side) -> bool:
        """Are the rows of a thread a known number of bytes apart, and known to be there; or is it one?"""
        operand = side.operand
        is_known = static(operand.pitch) is not None and self.place.count(side) is None
        return not operand.along_k or is_known or self.moves(side).turns == 1

    def _lane(self, side: Side, row: Expr) -> Expr:
        """The byte that a lane loads from on, of its row in the range; the last rows or columns again where there are none."""
        place, col, operand = self.place, self.moves(side).col, side.operand
        if not operand.along_k:
            col = place.clamped(side, total(side.origin, col), Const(BLOCK))
        elif place.count(side) is not None:
            row = Call("-", (place.clamped(side, total(side.origin, row), ONE), side.origin), INDEX)
        return _bytes(total(place.times(row, operand.pitch), col), operand.bytes)

    def _first(self, side: Side) -> Expr:
        """The first element of a block's part of the first tile of k."""
        place, operand = self.place, side.operand
        at = place.times(side.origin if operand.along_k else place.first_term, operand.pitch)
        at = total(place.known(operand.first), at) if operand.first != ZERO else at
        if place.k_is_padded:
            at = Call("-", (at, BEFORE if operand.along_k else place.times(BEFORE, operand.pitch)), INDEX)
        return Pointer(place.printer.names.tensor(operand.read.tensor), None if at == ZERO else at)

    def _range_bytes(self, side: Side) -> Expr:
        """Of the rows of a tile that there are."""
        place, operand = self.place, side.operand
        count, rows = place.count(side), Const(side.tile)
        if not operand.along_k:
            left: Expr = Const(place.tile.k)
        elif count is None:
            left = rows
        else:
            left = Call("min", (Call("-", (count, side.origin), INDEX), rows), INDEX)
        elements = place.times(left, operand.pitch)
        if operand.along_k and place.k_is_padded:
            elements = total(elements, BEFORE)
        return _bytes(elements, operand.bytes)

    def _range(self, side: Side) -> Declare:
        """What a block reads of an operand."""
        place = self.place
        begin = Local(place.name(side, "from"), _pointer(side))
        made = Primitive("buffer_range", (), (begin, self._range_bytes(side)), BufferRange())
        return Declare(place.name(side, "range"), BufferRange(), made)

    def _fetch(self, side: Side, *, guarded: bool) -> Body:
        """The loads of a thread."""
        place, moves, operand = self.place, self.moves(side), side.operand
        array, at = Local(place.name(side, "in"), Word()), Local(place.name(side, "at"))
        found = Local(place.name(side, "range"), BufferRange())
        further = scaled(EACH, moves.rows_a_turn)
        valid: tuple[Expr, ...] = ()
        if guarded:
            first = Local(place.name(side, "k"))
            valid = (Call(">=", (first if operand.along_k else total(first, further, NEXT), ZERO), "bool"),)
        if operand.along_k:
            lane: Expr = Element(at, EACH, Scalar(INDEX))
            if self._is_one_lane_offset(side):
                lane = total(at, _bytes(place.times(further, operand.pitch), operand.bytes))
            load = (Element(array, EACH, Word()), found, lane, Local(place.name(side, "step")), *valid)
            return nest((("i", moves.turns),), (Do(Primitive("load_buffer", (CHUNK_BYTES,), load)),))
        wave = _bytes(place.times(total(further, NEXT), operand.pitch), operand.bytes)
        load = (Element(Element(array, EACH, Word()), NEXT, Word()), found, at, wave, *valid)
        loads = Do(Primitive("load_buffer", (BLOCK * operand.bytes,), load))
        return (self._range(side), *nest((("i", moves.turns), ("r", BLOCK)), (loads,)))

    def _advance(self, side: Side) -> Statement:
        """What a block reads moves on by a tile."""
        place, k = self.place, Const(self.place.tile.k)
        if side.operand.along_k:
            return Assign(Local(place.name(side, "step")), _bytes(k, side.operand.bytes), "+=")
        return Assign(Local(place.name(side, "from"), _pointer(side)), place.times(k, side.operand.pitch), "+=")

    def _target(self, side: Side) -> Expr:
        """The byte of shared memory for the first of what a thread has."""
        moves, tile = self.moves(side), self.moves(side).tile
        if side.operand.along_k:
            return tile.chunk(moves.row, quotient(moves.col, side.operand.each))
        each = side.operand.each
        return total(tile.chunk(moves.col, quotient(moves.row, each)), scaled(remainder(moves.row, each), side.operand.bytes))

    def _to_shared(self, side: Side) -> Body:
        """What was loaded goes to shared memory, turned where it lies along m or n."""
        place, moves, tile = self.place, self.moves(side), self.moves(side).tile
        array, to = Local(place.name(side, "in"), Word()), Local(place.name(side, "to"))
        if side.operand.along_k:
            at = total(to, tile.rows_further(EACH, moves.rows_a_turn), WRITE, self.at(side))
            store = Primitive("store_words", (CHUNK_BYTES,), (Pointer(SHARED, at), Element(array, EACH, Word())))
            return nest((("i", moves.turns),), (Do(store),))
        block, size = Element(array, EACH, Word()), BLOCK * side.operand.bytes
        flips = flipped(scaled(NEXT, CHUNK_BYTES), scaled(EACH, moves.rows_a_turn * side.operand.bytes))
        at = total(flipped(to, flips), scaled(NEXT, tile.rows // BLOCK * tile.row_bytes), WRITE, self.at(side))
        store = Primitive("store_words", (size,), (Pointer(SHARED, at), Element(block, NEXT, Word())))
        turned = Do(Primitive("transpose_4x4", (), (block,)))
        return (*nest((("i", moves.turns),), (turned,)), *nest((("i", moves.turns), ("r", BLOCK)), (Do(store),)))

    def _fragment(self, side: Side) -> tuple[Expr, Expr, Expr]:
        """Where a lane finds its row of a fragment: the byte for the first, what it is exclusive-ored with, what is added."""
        unit, tile = self.place.unit, self.moves(side).tile
        number = MI if side is self.place.a else NI
        row = total(side.first_of_warp, remainder(LANE, unit.m))
        further = unit.m // tile.interleave
        groups = unit.lanes // unit.m
        flips = scaled(KK, groups * CHUNK_BYTES)
        return tile.chunk(row, quotient(LANE, unit.m)), flips, tile.rows_further(number, further)

    def _compute(self) -> Body:
        """A warp's part of a tile: accesses of 16 bytes along k, each of which holds fragments of some steps of k."""
        place, unit = self.place, self.place.unit
        numbers = {place.a.called: (MI, place.rows), place.b.called: (NI, place.cols)}
        declared, loads = [], []
        for side in place.sides:
            number, count = numbers[side.called]
            array = Local(place.name(side, "part"), place.word)
            _, flips, adds = self._fragment(side)
            at = total(flipped(Local(place.name(side, "part_at")), flips), adds, READ, self.at(side))
            load = Primitive("load_words", (CHUNK_BYTES,), (Element(array, number, place.word), Pointer(SHARED, at)))
            declared.append(Declare(array.name, place.word, extent=(count, 4)))
            loads.append(unrolled(number.name, count, Do(load)))
        registers = unit.a.registers
        parts = [Element(Local(place.name(s, "part"), place.word), numbers[s.called][0], place.word) for s in place.sides]
        a, b = (Offset(part, scaled(HALF, registers)) for part in parts)
        product = Multiply(unit, place.fragment(MI, NI), b, a)
        products = unrolled("half", 4 // registers, unrolled("mi", place.rows, unrolled("ni", place.cols, product)))
        step = unit.k * (4 // registers)
        return (unrolled("kk", place.tile.k // step, *declared, *loads, products),)


def _bytes(elements: Expr, size: int) -> Expr:
    return scaled(elements, size)


def _pointer(side: Side) -> Address:
    return Address(Scalar(side.operand.read.dtype, True))
