"""Tiles that come to shared memory through registers, while the one before is multiplied, and fragments that come from there
in accesses of 16 bytes along k: gfx90a.

Shared memory has every tile with k along its rows. Of an operand that lies along m or n a thread has four rows of k by four
neighbours, which it turns in its registers. Where the other operand is f32, elements of 16 bits become that there, too. The
operands change places in the instruction, y^T = b^T a^T, so that a lane owns four neighbours along n.

Loads are of a range of memory, at an offset of 32 bits: what is not valid lies beyond it, and is zeros. Rows along k are a
range, of which tiles of k are further parts; where k goes from row to row, the range moves on with the tiles, for all rows may
be too many bytes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from uol.backends.simt.c_text.address import flipped, quotient, remainder, scaled, total
from uol.backends.simt.c_text.terms import Address, BufferRange, Element, Local, Offset, Pointer, Primitive, Scalar, Word
from uol.backends.simt.kernel.layouts import BANKS_BYTES, CHUNK_BYTES, SharedTile
from uol.backends.simt.kernel.nodes import Assign, Body, Declare, Do, Multiply, Statement
from uol.backends.simt.kernel.pipeline import READ, WRITE, TileLoop, through_registers
from uol.backends.simt.products.matrix.operand import Operand, Side
from uol.backends.simt.products.matrix.place import (
    BEFORE,
    EACH,
    HALF,
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
from uol.backends.simt.products.matrix.row_sums import RowSums
from uol.codegen.indexing.arithmetic import ONE, ZERO, static
from uol.ir.program.nodes import Call, Const, Expr
from uol.ir.types import DTYPES, INDEX

BLOCK = 4
"""Rows of k, and neighbours along m or n, that a thread turns."""
STAGES = 2
WORD_BYTES = 4
MOST_BYTES = 1 << 31
"""That an offset in bytes reaches, a number of 32 bits."""
SIDE_BY_SIDE = BANKS_BYTES // CHUNK_BYTES
"""Threads that turn neighbours of as many rows of shared memory as have chunks in different banks."""


@dataclass(frozen=True, slots=True)
class Moves:
    """How `threads` bring a tile of an operand of `outer` x `k` elements to shared memory."""

    operand: Operand
    outer: int
    k: int
    threads: int
    bytes: int
    """Of an access along k; of rows that are turned a thread has four neighbours."""
    size: int
    """Bytes of an element in shared memory."""

    @property
    def is_widened(self) -> bool:
        """Are elements made wider on the way?"""
        return self.size > self.operand.bytes

    @property
    def tile(self) -> SharedTile:
        return SharedTile(self.outer, self.k * self.size, interleave=1 if self.operand.along_k else BLOCK)

    @property
    def across(self) -> int:
        """Threads side by side along a row of memory: of an access each, or of four neighbours."""
        return self.k // self.each if self.operand.along_k else self.outer // BLOCK

    @property
    def each(self) -> int:
        """Neighbours of a thread in a row."""
        most = CHUNK_BYTES // self.size
        return min(self.bytes // self.operand.bytes, most) if self.operand.along_k else BLOCK

    @property
    def words(self) -> int:
        """Registers of a thread's neighbours, as they lie in memory."""
        return self.each * self.operand.bytes // WORD_BYTES

    @property
    def stored(self) -> int:
        """Bytes of shared memory of a thread's neighbours along k."""
        return self.each * self.size

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
        if self.operand.along_k:
            return quotient(THREAD, self.across)
        if not self.is_in_pairs:
            return scaled(quotient(THREAD, self.across), BLOCK)
        pair = scaled(quotient(THREAD, 2 * self.across), 2)
        return scaled(total(pair, remainder(quotient(THREAD, SIDE_BY_SIDE), 2)), BLOCK)

    @property
    def col(self) -> Expr:
        if self.operand.along_k or not self.is_in_pairs:
            return scaled(remainder(THREAD, self.across), self.each)
        eights = remainder(quotient(THREAD, 2 * SIDE_BY_SIDE), self.across // SIDE_BY_SIDE)
        return scaled(total(scaled(eights, SIDE_BY_SIDE), remainder(THREAD, SIDE_BY_SIDE)), self.each)

    @property
    def is_in_pairs(self) -> bool:
        """Have the next 8 threads the next four rows, so that 16 that write at once fill both halves of 8 chunks, and with them
        all banks?"""
        return self.across > SIDE_BY_SIDE and self.threads % (2 * self.across) == 0

    def defect(self) -> str | None:
        """Why that is not possible."""
        tile, rows = self.tile, self.outer if self.operand.along_k else self.k
        if tile.row_bytes % CHUNK_BYTES or tile.chunks & (tile.chunks - 1):
            return f"rows of {tile.row_bytes} bytes are no power of two of {CHUNK_BYTES} bytes"
        if self.threads % self.across or rows % self.rows_a_turn:
            return f"{self.threads} threads do not move {self.outer} x {self.k} elements in whole turns"
        if self.operand.along_k and not tile.may_go_by(self.rows_a_turn):
            return f"{self.rows_a_turn} rows of {tile.row_bytes} bytes a turn have their chunks in several orders"
        if not self.operand.along_k and self.bytes < BLOCK * self.operand.bytes:
            return f"rows of {self.operand.read.tensor} do not begin at multiples of {BLOCK} elements"
        if self.operand.is_in_pieces and _bytes_in_all(self.operand) is None:
            return f"{self.operand.read.tensor} is in pieces, and no range that offsets of 32 bits reach"
        of_a_chunk = CHUNK_BYTES // self.size
        if not self.operand.along_k and (self.operand.bytes == 1 or self.turns > 1 and self.rows_a_turn % of_a_chunk):
            return f"{self.operand.read.dtype} is not turned in registers, {self.rows_a_turn} rows of k a turn"
        return None


@dataclass(frozen=True, slots=True)
class ThroughRegisters:
    """The loop over tiles of k of one kernel."""

    place: Place

    def moves(self, side: Side) -> Moves:
        place = self.place
        size = DTYPES[place.unit.factor].bytes
        return Moves(side.operand, side.tile, place.tile.k, place.threads, place.bytes_at_once(side), size)

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
        is_fixed = operand.along_k or operand.is_in_pieces
        yield Declare(place.name(side, "from"), _pointer(side), self._first(side), constant=is_fixed)
        if is_fixed:
            yield self._range(side)
        if is_fixed and not operand.is_in_pieces:
            yield Declare(place.name(side, "step"), Scalar(INDEX), ZERO, constant=False)
        yield from self._lanes(side)
        if place.k_is_padded or operand.is_in_pieces:
            k = moves.col if operand.along_k else moves.row
            k = Call("-", (k, BEFORE), INDEX) if place.k_is_padded else k
            yield Declare(place.name(side, "k"), Scalar(INDEX), k, constant=not operand.is_in_pieces)
        yield index(place.name(side, "to"), self._target(side))
        yield index(place.name(side, "part_at"), self._fragment(side)[0])
        extent = (moves.turns, moves.words) if operand.along_k else (moves.turns, BLOCK, moves.words)
        yield Declare(place.name(side, "in"), Word(), extent=extent)

    def _lanes(self, side: Side) -> Iterable[Statement]:
        """Where each lane loads from."""
        place, moves = self.place, self.moves(side)
        name = place.name(side, "at")
        if self._is_one_lane_offset(side):
            found, at = self._lane(side, moves.row)
            yield from found
            yield index(name, at)
            return
        yield Declare(name, Scalar(INDEX), extent=moves.turns)
        found, at = self._lane(side, total(moves.row, scaled(EACH, moves.rows_a_turn)))
        yield unrolled("i", moves.turns, *found, Assign(Element(Local(name), EACH, Scalar(INDEX)), at))

    def _is_one_lane_offset(self, side: Side) -> bool:
        """Are the rows of a thread a known number of bytes apart, and known to be there; or is it one?"""
        operand = side.operand
        is_known = operand.pitch is not None and static(operand.pitch) is not None and self.place.count(side) is None
        return not operand.along_k or is_known or self.moves(side).turns == 1

    def _lane(self, side: Side, row: Expr) -> tuple[Body, Expr]:
        """The byte that a lane loads from on, of its row in the range; the last rows or columns again where there are none.
        Of an operand in pieces that of the first term, in a range that is all of it."""
        place, col, operand = self.place, self.moves(side).col, side.operand
        if operand.is_in_pieces:
            several = ONE if operand.along_k else Const(BLOCK)
            outer = place.clamped(side, total(side.origin, row if operand.along_k else col), several)
            if operand.outer_is_in_pieces:
                declared = (index(place.name(side, "outer"), outer),)
                return declared, _bytes(place.in_pieces(side, operand.outer, "outer"), operand.bytes)
            return (), _bytes(place.times(outer, place.pitch(side)) if operand.along_k else outer, operand.bytes)
        if not operand.along_k:
            col = place.clamped(side, total(side.origin, col), Const(BLOCK))
        elif place.count(side) is not None:
            row = Call("-", (place.clamped(side, total(side.origin, row), ONE), side.origin), INDEX)
        return (), _bytes(total(place.times(row, place.pitch(side)), col), operand.bytes)

    def _first(self, side: Side) -> Expr:
        """The first element of a block's part of the first tile of k; of all where an operand is in pieces."""
        place, operand = self.place, side.operand
        first: Expr = ZERO if operand.first == ZERO else place.known(operand.first)
        tensor = place.printer.names.tensor(operand.read.tensor)
        if operand.is_in_pieces:
            return Pointer(tensor, None if first == ZERO else first)
        at = total(first, place.times(side.origin if operand.along_k else place.first_term, place.pitch(side)))
        if place.k_is_padded:
            at = Call("-", (at, BEFORE if operand.along_k else place.times(BEFORE, place.pitch(side))), INDEX)
        return Pointer(tensor, None if at == ZERO else at)

    def _range_bytes(self, side: Side) -> Expr:
        """Of the rows of a tile that there are."""
        place, operand = self.place, side.operand
        count, rows = place.count(side), Const(side.tile)
        if operand.is_in_pieces:
            return Const(_bytes_in_all(operand) or 0)
        if not operand.along_k:
            left: Expr = Const(place.tile.k)
        elif count is None:
            left = rows
        else:
            left = Call("min", (Call("-", (count, side.origin), INDEX), rows), INDEX)
        elements = place.times(left, place.pitch(side))
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
        further, width = scaled(EACH, moves.rows_a_turn), WORD_BYTES * moves.words
        first = Local(place.name(side, "k"))
        k = first if operand.along_k else total(first, further, NEXT)
        valid: tuple[Expr, ...] = (Call(">=", (k, ZERO), "bool"),) if guarded else ()
        if operand.along_k:
            lane: Expr = Element(at, EACH, Scalar(INDEX))
            if self._is_one_lane_offset(side):
                lane = total(at, _bytes(place.times(further, place.pitch(side)), operand.bytes)) if moves.turns > 1 else at
            wave: Expr = Local(place.name(side, "step"))
            terms, piece = self._piece(side, k)
            if operand.is_in_pieces:
                lane, wave = total(lane, piece), ZERO
            load = (Element(array, EACH, Word()), found, lane, wave, *valid)
            return (*terms, *nest((("i", moves.turns),), (Do(Primitive("load_buffer", (width,), load)),)))
        turns = (("i", moves.turns), ("r", BLOCK))
        into = Element(Element(array, EACH, Word()), NEXT, Word())
        if operand.is_in_pieces:
            terms, piece = self._piece(side, k)
            load = (into, found, total(at, piece), ZERO, *valid)
            return nest(turns, (*terms, Do(Primitive("load_buffer", (width,), load))))
        wave = _bytes(place.times(total(further, NEXT), place.pitch(side)), operand.bytes)
        load = (into, found, at, wave, *valid)
        loads = Do(Primitive("load_buffer", (width,), load))
        return (self._range(side), *nest(turns, (loads,)))

    def _piece(self, side: Side, k: Expr) -> tuple[Body, Expr]:
        """How many bytes from its first a term of an operand in pieces lies, and what that is made of."""
        place, operand = self.place, side.operand
        if operand.k_is_in_pieces:
            piece = index(place.name(side, "piece"), place.in_pieces(side, operand.k, "term"))
            return (index(place.name(side, "term"), k), piece), _bytes(Local(piece.name), operand.bytes)
        return (), _bytes(k if operand.along_k or operand.pitch is None else place.times(k, operand.pitch), operand.bytes)

    def _advance(self, side: Side) -> Statement:
        """What a block reads moves on by a tile."""
        place, k, operand = self.place, Const(self.place.tile.k), side.operand
        if operand.is_in_pieces:
            return Assign(Local(place.name(side, "k")), k, "+=")
        if operand.along_k:
            return Assign(Local(place.name(side, "step")), _bytes(k, operand.bytes), "+=")
        return Assign(Local(place.name(side, "from"), _pointer(side)), place.times(k, place.pitch(side)), "+=")

    def _target(self, side: Side) -> Expr:
        """The byte of shared memory for the first of what a thread has."""
        moves, tile = self.moves(side), self.moves(side).tile
        if side.operand.along_k:
            return tile.part(moves.row, quotient(moves.col, moves.each), moves.stored)
        each = CHUNK_BYTES // moves.size
        return total(tile.chunk(moves.col, quotient(moves.row, each)), scaled(remainder(moves.row, each), moves.size))

    def _to_shared(self, side: Side) -> Body:
        """What was loaded goes to shared memory, turned where it lies along m or n."""
        place, moves, tile = self.place, self.moves(side), self.moves(side).tile
        array, to = Local(place.name(side, "in"), Word()), Local(place.name(side, "to"))
        of_turn = Element(array, EACH, Word())
        if side.operand.along_k:
            at = total(tile.further(to, EACH, moves.rows_a_turn), WRITE, self.at(side))
            return nest((("i", moves.turns),), self._stored(side, at, of_turn))
        flips = flipped(scaled(NEXT, tile.apart * CHUNK_BYTES), scaled(EACH, moves.rows_a_turn * moves.size))
        at = total(flipped(to, flips), scaled(NEXT, tile.rows // BLOCK * tile.row_bytes), WRITE, self.at(side))
        turned = Do(Primitive("transpose_4x4" if moves.words == 2 else "transpose_4x4_words", (), (of_turn,)))
        stored = self._stored(side, at, Element(of_turn, NEXT, Word()))
        return (*nest((("i", moves.turns),), (turned,)), *nest((("i", moves.turns), ("r", BLOCK)), stored))

    def _stored(self, side: Side, at: Expr, words: Expr) -> Body:
        """Neighbours along k go to a byte of shared memory; they are made wider before."""
        moves, pointer = self.moves(side), Pointer(SHARED, at)
        if not moves.is_widened:
            return (Do(Primitive("store_words", (moves.stored,), (pointer, words))),)
        wide = Local(self.place.name(side, "wide"), Scalar("f32"))
        widen = Primitive(f"widen_{side.operand.read.dtype}", (moves.each,), (wide, words))
        store = Primitive("store_words", (moves.stored,), (pointer, wide))
        return (Declare(wide.name, wide.kind, extent=moves.each), Do(widen), Do(store))

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
        fragments = unrolled("mi", place.rows, unrolled("ni", place.cols, product))
        products = unrolled("half", 4 // registers, fragments, *RowSums(place).products(a))
        step = unit.k * (4 // registers)
        return (unrolled("kk", place.tile.k // step, *declared, *loads, products),)


def _bytes_in_all(operand: Operand) -> int | None:
    """Of what is read of an operand in pieces from its first element on; None where offsets of 32 bits do not reach that."""
    found = operand.elements_in_all
    return found * operand.bytes if found is not None and found * operand.bytes < MOST_BYTES else None


def _bytes(elements: Expr, size: int) -> Expr:
    return scaled(elements, size)


def _pointer(side: Side) -> Address:
    return Address(Scalar(side.operand.read.dtype, True))
