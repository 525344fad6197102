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
from dataclasses import dataclass, replace

from uol.backends.simt.c_text.address import flipped, quotient, remainder, scaled, total
from uol.backends.simt.c_text.terms import (
    Address,
    BufferRange,
    Element,
    Local,
    Offset,
    Pointer,
    Primitive,
    Scalar,
    Word,
    select,
)
from uol.backends.simt.kernel.layouts import CHUNK_BYTES
from uol.backends.simt.kernel.nodes import Assign, Body, Declare, Do, Multiply, Statement
from uol.backends.simt.kernel.pipeline import READ, WRITE, TileLoop, through_registers
from uol.backends.simt.kernel.scope import all_of
from uol.backends.simt.products.matrix.lookups import first_k, look_up, next_is_there, row_of
from uol.backends.simt.products.matrix.moves import BLOCK, WORD_BYTES, Moves, bytes_in_all
from uol.backends.simt.products.matrix.operand import Side
from uol.backends.simt.products.matrix.pieces import (
    are_of_tiles,
    is_in_window,
    tap_of_term,
    taps_of_row,
    taps_of_rows,
    within_piece,
)
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

STAGES = 2
BEYOND = -16
"""A byte, of 32 bits without a sign, that no range has, nor any of an access that begins there."""


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
            compute=place.of_rows_there(self._compute()),
            advance=tuple(s for side in place.sides for s in self._advance(side)),
            stage_bytes=self.shared_bytes // STAGES,
        )
        addresses = (statement for side in place.sides for statement in self._addresses(side))
        return (*place.tiles_of_k(), *addresses, *through_registers(loop), *RowSums(place).folded())

    def _addresses(self, side: Side) -> Iterable[Statement]:
        """Where a block's rows begin, what a thread reads of them, and where it puts that; where its fragments are."""
        place, moves, operand = self.place, self.moves(side), side.operand
        is_fixed = operand.along_k or operand.is_in_pieces or operand.lookup is not None
        yield Declare(place.name(side, "from"), _pointer(side), self._first(side), constant=is_fixed)
        if is_fixed:
            yield self._range(side)
        if operand.along_k and not operand.is_in_pieces:
            yield Declare(place.name(side, "step"), Scalar(INDEX), ZERO, constant=False)
        yield from self._lanes(side)
        if not operand.looks_up_k and operand.is_in_pieces:
            k = ZERO if are_of_tiles(place, side) else moves.col if operand.along_k else moves.row
            k = Call("-", (k, BEFORE), INDEX) if place.k_is_padded else k
            yield Declare(place.name(side, "k"), Scalar(INDEX), k, constant=False)
        yield index(place.name(side, "to"), self._target(side))
        yield index(place.name(side, "part_at"), self._fragment(side)[0])
        extent = (moves.turns, moves.words) if operand.along_k else (moves.turns, BLOCK, moves.words)
        yield Declare(place.name(side, "in"), Word(), extent=extent)

    def _lanes(self, side: Side) -> Iterable[Statement]:
        """Where each lane loads from."""
        place, moves = self.place, self.moves(side)
        name = place.name(side, "at")
        if side.operand.lookup is not None:
            yield from self._named_rows(side)
            return
        if self._is_one_lane_offset(side):
            found, at = self._lane(side, moves.row)
            yield from found
            yield index(name, at)
            return
        yield Declare(name, Scalar(INDEX), extent=moves.turns)
        found, at = self._lane(side, total(moves.row, scaled(EACH, moves.rows_a_turn)))
        taps: Body = ()
        if side.operand.window is not None:
            yield taps_of_rows(place, side, moves.turns)
            taps = taps_of_row(place, side)
        yield unrolled("i", moves.turns, *found, Assign(Element(Local(name), EACH, Scalar(INDEX)), at), *taps)

    def _named_rows(self, side: Side) -> Iterable[Statement]:
        """The same of rows that data names: those of k are looked up for the first tile."""
        place, moves = self.place, self.moves(side)
        if side.operand.looks_up_k:
            yield first_k(place, side, moves.row)
            yield Declare(place.name(side, "next"), self._next(side).kind, extent=(moves.turns, BLOCK))
            yield from self._lookups(side, first=True)
            return
        further = total(moves.row, scaled(EACH, moves.rows_a_turn))
        found, number, there = row_of(place, side, place.clamped(side, total(side.origin, further), ONE))
        at = Element(Local(place.name(side, "at")), EACH, Scalar(INDEX))
        yield Declare(place.name(side, "at"), Scalar(INDEX), extent=moves.turns)
        yield unrolled("i", moves.turns, *found, Assign(at, self._of_row(side, number, there)))

    def _lookups(self, side: Side, *, first: bool = False) -> Body:
        """Which rows of k a thread loads of the next tile."""
        place, moves = self.place, self.moves(side)
        k = total(Local(place.name(side, "k")), scaled(EACH, moves.rows_a_turn), NEXT)
        return nest((("i", moves.turns), ("r", BLOCK)), look_up(place, side, k, self._next(side), first=first))

    def _next(self, side: Side) -> Element:
        """The number of a row that has been looked up."""
        assert side.operand.lookup is not None
        kind = side.operand.lookup.kind
        return Element(Element(Local(self.place.name(side, "next"), kind), EACH, kind), NEXT, kind)

    def _of_row(self, side: Side, number: Expr, there: Expr | None) -> Expr:
        """The byte of the range for what a lane has of the row of a number; beyond the range where it is not `there`."""
        place, col, operand = self.place, self.moves(side).col, side.operand
        if not operand.along_k:
            col = place.clamped(side, total(side.origin, col), Const(BLOCK))
        row = Call("cast", (number,), INDEX)
        at = _bytes(total(place.times(row, place.pitch(side)), col), operand.bytes)
        return at if there is None else select(there, at, Const(BEYOND))

    def _is_one_lane_offset(self, side: Side) -> bool:
        """Are the rows of a thread a known number of bytes apart, and known to be there; or is it one?"""
        operand = side.operand
        is_known = operand.pitch is not None and static(operand.pitch) is not None and self.place.count(side) is None
        has_taps = operand.along_k and operand.window is not None
        return not has_taps and (not operand.along_k or is_known or self.moves(side).turns == 1)

    def _lane(self, side: Side, row: Expr) -> tuple[Body, Expr]:
        """The byte that a lane loads from on, of its row in the range; the last rows or columns again where there are none.
        Of an operand in pieces that of the first term, in a range that is all of it."""
        place, col, operand = self.place, self.moves(side).col, side.operand
        if operand.is_in_pieces:
            several = ONE if operand.along_k else Const(BLOCK)
            outer = place.clamped(side, total(side.origin, row if operand.along_k else col), several)
            declared: Body = ()
            if operand.outer_is_in_pieces or operand.window is not None:
                declared = (index(place.name(side, "outer"), outer),)
                outer = Local(place.name(side, "outer"))
            if operand.outer_is_in_pieces:
                outer = place.in_pieces(side, operand.outer, "outer")
            elif operand.along_k:
                outer = place.times(outer, place.pitch(side))
            first = (place.known(operand.first),) if operand.may_go_back and operand.first != ZERO else ()
            of_tile = are_of_tiles(place, side)
            within = within_piece(place, side, col if operand.along_k else row) if of_tile else ZERO
            return declared, _bytes(total(*first, outer, within), operand.bytes)
        if not operand.along_k:
            col = place.clamped(side, total(side.origin, col), Const(BLOCK))
        elif place.count(side) is not None:
            row = Call("-", (place.clamped(side, total(side.origin, row), ONE), side.origin), INDEX)
        return (), _bytes(total(place.times(row, place.pitch(side)), col), operand.bytes)

    def _first(self, side: Side) -> Expr:
        """The first element of a block's part of the first tile of k; of all where an operand is in pieces; of the tensor where
        others may lie in front of that."""
        place, operand = self.place, side.operand
        first: Expr = ZERO if operand.first == ZERO else place.known(operand.first)
        tensor = place.printer.names.tensor(operand.read.tensor)
        if operand.is_in_pieces or operand.looks_up_k:
            return Pointer(tensor, None if first == ZERO or operand.may_go_back else first)
        row = side.origin if operand.along_k else place.first_term
        at = first if operand.lookup is not None else total(first, place.times(row, place.pitch(side)))
        if place.k_is_padded:
            at = Call("-", (at, BEFORE if operand.along_k else place.times(BEFORE, place.pitch(side))), INDEX)
        return Pointer(tensor, None if at == ZERO else at)

    def _range_bytes(self, side: Side) -> Expr:
        """Of the rows of a tile that there are; of all rows, where data names them."""
        place, operand = self.place, side.operand
        count, rows = place.count(side), Const(side.tile)
        if operand.is_in_pieces:
            return Const(bytes_in_all(operand) or 0)
        if operand.lookup is not None:
            left: Expr = place.known(operand.lookup.row.extent)
        elif not operand.along_k:
            left = Const(place.tile.k)
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
        within = moves.col if operand.along_k else total(moves.row, further, replace(NEXT, limit=BLOCK))
        is_term = Call(">=", (k, ZERO), "bool") if operand.is_in_pieces else place.is_term(within)
        conditions = [is_term] if guarded else []
        if operand.window is not None:
            conditions.append(is_in_window(place, side))
        valid = (all_of(conditions),) if conditions else ()
        if operand.along_k:
            lane: Expr = Element(at, EACH, Scalar(INDEX))
            if operand.lookup is None and self._is_one_lane_offset(side):
                lane = total(at, _bytes(place.times(further, place.pitch(side)), operand.bytes)) if moves.turns > 1 else at
            wave: Expr = Local(place.name(side, "step"))
            terms, piece = self._piece(side, k)
            if operand.window is not None:
                terms = (*terms, tap_of_term(place, side, guarded=guarded))
            if operand.is_in_pieces:
                is_of_wave = are_of_tiles(place, side) and not operand.may_go_back
                lane, wave = (lane, piece) if is_of_wave else (total(lane, piece), ZERO)
            load = (Element(array, EACH, Word()), found, lane, wave, *valid)
            return (*terms, *nest((("i", moves.turns),), (Do(Primitive("load_buffer", (width,), load)),)))
        turns = (("i", moves.turns), ("r", BLOCK))
        into = Element(Element(array, EACH, Word()), NEXT, Word())
        if operand.looks_up_k:
            number = self._next(side)
            load = (into, found, self._of_row(side, number, next_is_there(place, side, number)), ZERO)
            return nest(turns, (Do(Primitive("load_buffer", (width,), load)),))
        if operand.is_in_pieces:
            of_tile = are_of_tiles(place, side)
            terms, piece = self._piece(side, first if of_tile else k)
            if of_tile:
                piece = total(piece, _bytes(within_piece(place, side, total(further, NEXT)), operand.bytes))
            lane, wave = (at, piece) if of_tile and not operand.may_go_back else (total(at, piece), ZERO)
            loads = Do(Primitive("load_buffer", (width,), (into, found, lane, wave, *valid)))
            return (*terms, *nest(turns, (loads,))) if of_tile else nest(turns, (*terms, loads))
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

    def _advance(self, side: Side) -> Body:
        """What a block reads moves on by a tile; or the rows of the next one are looked up, which the next turn loads."""
        place, k, operand = self.place, Const(self.place.tile.k), side.operand
        if operand.looks_up_k:
            return Assign(Local(place.name(side, "k")), k, "+="), *self._lookups(side)
        if operand.is_in_pieces:
            return (Assign(Local(place.name(side, "k")), k, "+="),)
        if operand.along_k:
            return (Assign(Local(place.name(side, "step")), _bytes(k, operand.bytes), "+="),)
        return (Assign(Local(place.name(side, "from"), _pointer(side)), place.times(k, place.pitch(side)), "+="),)

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


def _bytes(elements: Expr, size: int) -> Expr:
    return scaled(elements, size)


def _pointer(side: Side) -> Address:
    return Address(Scalar(side.operand.read.dtype, True))
