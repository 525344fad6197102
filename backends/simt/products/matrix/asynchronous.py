"""Tiles that come to shared memory by asynchronous copies, some stages ahead, and fragments that come from there by `ldmatrix`,
which transposes where fragments want it otherwise than the operand lies: sm_80 and later.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from uol.backends.simt.c_text.address import flipped, quotient, remainder, scaled, total
from uol.backends.simt.c_text.terms import Address, Element, Local, Offset, Pointer, Primitive, Scalar, Word, select
from uol.backends.simt.kernel.layouts import CHUNK_BYTES, SharedTile
from uol.backends.simt.kernel.nodes import Assign, Body, CopyAsync, Declare, LoadMatrix, Multiply, Statement
from uol.backends.simt.kernel.pipeline import READ, WRITE, TileLoop, asynchronous
from uol.backends.simt.kernel.scope import all_of
from uol.backends.simt.products.matrix import tf32
from uol.backends.simt.products.matrix.lookups import first_k, look_up, next_row, row_of
from uol.backends.simt.products.matrix.operand import Operand, Side
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
    KK,
    LANE,
    MI,
    NI,
    SHARED,
    TILES,
    Place,
    index,
    thread_of,
    unrolled,
)
from uol.backends.simt.products.matrix.row_sums import RowSums
from uol.backends.simt.products.matrix.schedule import MatrixTile
from uol.backends.simt.products.matrix.tf32 import Fragments
from uol.codegen.indexing.arithmetic import ONE, ZERO, static
from uol.ir.program.nodes import Call, Const, Expr
from uol.ir.types import INDEX

PAIR = Local("pair")
ROWS = 16
"""Of memory that four matrices of one `ldmatrix` cover, two below each other; two chunks lie beside each other."""


@dataclass(frozen=True, slots=True)
class Copies:
    """How `threads` copy a tile of an operand of `outer` x `k` elements, `bytes` each. `is_full`: is all of it there?"""

    operand: Operand
    outer: int
    k: int
    threads: int
    bytes: int
    is_full: bool = False

    @property
    def tile(self) -> SharedTile:
        if self.operand.is_wide:
            return tf32.tile_of(self.operand, self.outer, self.k)
        rows, elements = (self.outer, self.k) if self.operand.along_k else (self.k, self.outer)
        return SharedTile(rows, elements * self.operand.bytes)

    @property
    def across(self) -> int:
        """Copies of a row."""
        return self.tile.row_bytes // self.bytes

    @property
    def each(self) -> int:
        """Elements of a copy."""
        return self.bytes // self.operand.bytes

    @property
    def rows_a_turn(self) -> int:
        return self.threads // self.across

    @property
    def turns(self) -> int:
        """What each thread copies of the tile."""
        return self.tile.rows // self.rows_a_turn

    @property
    def thread(self) -> Local:
        return thread_of(self.threads)

    @property
    def row(self) -> Expr:
        """The row of the tile that a thread copies first."""
        return quotient(self.thread, self.across)

    @property
    def col(self) -> Expr:
        """The first element of a row, the same in each turn."""
        return scaled(remainder(self.thread, self.across), self.each)

    @property
    def to(self) -> Expr:
        """The byte that a thread copies to in its first turn."""
        return self.tile.part(self.row, remainder(self.thread, self.across), self.bytes)

    @property
    def is_one_pointer(self) -> bool:
        """Are all rows of a thread as far apart, and known to be there?"""
        pitch = self.operand.pitch
        is_regular = (self.is_full or not self.operand.along_k) and self.operand.lookup is None and self.operand.window is None
        return is_regular and pitch is not None and static(pitch) is not None

    def defect(self) -> str | None:
        """Why that is not possible."""
        tile = self.tile
        if tile.row_bytes % CHUNK_BYTES or tile.chunks & (tile.chunks - 1):
            return f"rows of {tile.row_bytes} bytes are no power of two of {CHUNK_BYTES} bytes"
        if self.threads % self.across or tile.rows % self.rows_a_turn or not tile.may_go_by(self.rows_a_turn):
            return f"{self.threads} threads do not copy {tile.rows} rows of {tile.row_bytes} bytes in whole turns"
        if ROWS % tile.repeats:
            return f"rows of {tile.row_bytes} bytes are too short for fragments of {ROWS} rows"
        return tf32.defect(self.operand, self.outer) if self.operand.is_wide else None


@dataclass(frozen=True, slots=True)
class Asynchronous:
    """The loop over tiles of k of one kernel."""

    place: Place

    def copies(self, side: Side) -> Copies:
        place = self.place
        width, is_full = place.bytes_at_once(side), place.count(side) is None
        return Copies(side.operand, side.tile, place.tile.k, place.threads, width, is_full)

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
            first=tuple(s for side in place.sides for s in self._fetch(side, guarded=place.k_is_padded)),
            fetch=tuple(s for side in place.sides for s in self._fetch(side, guarded=False)),
            compute=place.of_rows_there(self._compute()),
            advance=tuple(s for side in place.sides for s in self._advance(side)),
            stage_bytes=self.shared_bytes // tile.stages,
        )
        addresses = (statement for side in place.sides for statement in self._addresses(side))
        return (*place.tiles_of_k(), *addresses, *asynchronous(loop, tile.stages, tile.unroll))

    def _addresses(self, side: Side) -> Iterable[Statement]:
        """Where a thread copies to, from, and from which k on; and where its fragments are."""
        place, copies, kind = self.place, self.copies(side), _pointer(side)
        name, operand = place.name(side, "from"), side.operand
        yield index(place.name(side, "to"), copies.to)
        if operand.looks_up_k:
            yield from self._first_lookups(side)
        elif operand.lookup is not None:
            yield Declare(name, kind, extent=copies.turns)
            yield from self._named_rows(side)
        elif operand.window is not None and operand.along_k:
            yield from self._windowed_rows(side)
        elif copies.is_one_pointer or not operand.along_k and operand.k_is_in_pieces:
            declared, first = self._first(side, copies.row)
            yield from declared
            yield Declare(name, kind, first, constant=False)
        else:
            declared, first = self._first(side, total(copies.row, scaled(EACH, copies.rows_a_turn)))
            yield Declare(name, kind, extent=copies.turns)
            yield unrolled("i", copies.turns, *declared, Assign(Element(Local(name, kind), EACH, kind), first))
        if not operand.looks_up_k and operand.k_is_in_pieces:
            at = ZERO if are_of_tiles(place, side) else copies.col if operand.along_k else copies.row
            at = Call("-", (at, BEFORE), INDEX) if place.k_is_padded else at
            yield Declare(place.name(side, "k"), Scalar(INDEX), at, constant=False)
        yield index(place.name(side, "at"), self._in_tf32(side).first() if operand.is_wide else self._fragment(side)[0])

    def _named_rows(self, side: Side) -> Iterable[Statement]:
        """The pointers to the rows that a thread copies, which data names. A row that is not there will be zeros."""
        place, copies, operand, kind = self.place, self.copies(side), side.operand, _pointer(side)
        at = place.clamped(side, total(side.origin, copies.row, scaled(EACH, copies.rows_a_turn)), ONE)
        found, number, condition = row_of(place, side, at)
        row: Expr = number
        if condition is not None:
            there = self._there(side)
            yield Declare(place.name(side, "there"), Scalar("bool"), extent=copies.turns)
            found, row = (*found, Assign(there, condition)), select(there, number, ZERO)
        first = () if operand.first == ZERO else (place.known(operand.first),)
        begin = total(*first, place.times(row, place.pitch(side)), copies.col)
        begin = Call("-", (begin, BEFORE), INDEX) if place.k_is_padded else begin
        target = Element(Local(place.name(side, "from"), kind), EACH, kind)
        yield unrolled("i", copies.turns, *found, Assign(target, self._pinned(side, begin)))

    def _windowed_rows(self, side: Side) -> Iterable[Statement]:
        """The pointers to the rows that a thread copies, and which taps each has."""
        place, copies, kind = self.place, self.copies(side), _pointer(side)
        target = Element(Local(place.name(side, "from"), kind), EACH, kind)
        declared, first = self._first(side, total(copies.row, scaled(EACH, copies.rows_a_turn)))
        yield Declare(place.name(side, "from"), kind, extent=copies.turns)
        yield taps_of_rows(place, side, copies.turns)
        yield unrolled("i", copies.turns, *declared, Assign(target, first), *taps_of_row(place, side))

    def _there(self, side: Side) -> Expr:
        """Is there such a row?"""
        return Element(Local(self.place.name(side, "there"), Scalar("bool")), EACH, Scalar("bool"))

    def _first_lookups(self, side: Side) -> Iterable[Statement]:
        """Rows of k that data names: a thread's place in each of them, and which they are of the first tile."""
        place, copies, operand, kind = self.place, self.copies(side), side.operand, _pointer(side)
        first = () if operand.first == ZERO else (place.known(operand.first),)
        at = total(*first, place.clamped(side, total(side.origin, copies.col), Const(copies.each)))
        yield Declare(place.name(side, "from"), kind, self._pinned(side, at))
        yield first_k(place, side, copies.row)
        yield Declare(place.name(side, "next"), self._next(side).kind, extent=copies.turns)
        yield self._lookups(side, first=True)

    def _lookups(self, side: Side, *, first: bool = False) -> Statement:
        """Which rows a thread copies of the next tile of k."""
        place, copies = self.place, self.copies(side)
        at = total(Local(place.name(side, "k")), scaled(EACH, copies.rows_a_turn))
        return unrolled("i", copies.turns, *look_up(place, side, at, self._next(side), first=first))

    def _next(self, side: Side) -> Element:
        """The number of a row that has been looked up."""
        assert side.operand.lookup is not None
        kind = side.operand.lookup.kind
        return Element(Local(self.place.name(side, "next"), kind), EACH, kind)

    def _pinned(self, side: Side, at: Expr) -> Expr:
        """The element at a place of which the compiler does not know how it was made: or it makes the pointer anew in the loop,
        out of what it has in common with others."""
        tensor = self.place.printer.names.tensor(side.operand.read.tensor)
        return Primitive("pinned", (), (Pointer(tensor, at),), _pointer(side))

    def _first(self, side: Side, row: Expr) -> tuple[Body, Expr]:
        """The element at a row of the first tile and a thread's column, and what it is made of. Of terms in pieces it is that
        of the first, from which each turn of the loop finds its own."""
        place, operand, copies = self.place, side.operand, self.copies(side)
        several = Const(1 if operand.along_k else copies.each)
        outer = place.clamped(side, total(side.origin, row if operand.along_k else copies.col), several)
        declared: Body = ()
        if operand.window is not None or operand.outer_is_in_pieces:
            declared = (index(place.name(side, "outer"), outer),)
            outer = Local(place.name(side, "outer"))
        if operand.outer_is_in_pieces:
            outer = place.in_pieces(side, operand.outer, "outer")
        elif operand.along_k:
            outer = place.times(outer, place.pitch(side))
        k: Expr = ZERO
        if not operand.k_is_in_pieces:
            k = copies.col if operand.along_k else place.times(total(place.first_term, row), place.pitch(side))
        elif are_of_tiles(place, side):
            k = within_piece(place, side, copies.col if operand.along_k else row)
        first = () if operand.first == ZERO else (place.known(operand.first),)
        at = total(*first, outer, k)
        if place.k_is_padded and not operand.k_is_in_pieces:
            at = Call("-", (at, BEFORE if operand.along_k else place.times(BEFORE, place.pitch(side))), INDEX)
        return declared, self._pinned(side, at)

    def _fetch(self, side: Side, *, guarded: bool) -> Body:
        """The copies of a thread."""
        place, copies, operand = self.place, self.copies(side), side.operand
        to = Local(place.name(side, "to"))
        moved = copies.tile.further(to, EACH, copies.rows_a_turn)
        further = ZERO if operand.along_k else scaled(EACH, copies.rows_a_turn)
        k = total(Local(place.name(side, "k")), further)
        conditions = self._of_lookup(side)
        if guarded and not operand.looks_up_k:
            within = total(copies.col if operand.along_k else copies.row, further)
            is_term = Call(">=", (k, ZERO), "bool") if operand.k_is_in_pieces else place.is_term(within)
            conditions.insert(0, is_term)
        if operand.window is not None:
            conditions.append(is_in_window(place, side))
        valid = all_of(conditions) if conditions else None
        copy = CopyAsync(Pointer(SHARED, total(moved, WRITE, self.at(side))), self._source(side), copies.bytes, valid)
        if operand.looks_up_k:
            return (unrolled("i", copies.turns, next_row(place, side, self._next(side)), copy),)
        if not operand.k_is_in_pieces:
            return (unrolled("i", copies.turns, copy),)
        piece = place.name(side, "piece")
        if operand.along_k:
            tap = () if operand.window is None else (tap_of_term(place, side, guarded=guarded),)
            return index(piece, place.in_pieces(side, operand.k, "k")), *tap, unrolled("i", copies.turns, copy)
        if are_of_tiles(place, side):
            return index(piece, place.in_pieces(side, operand.k, "k")), unrolled("i", copies.turns, copy)
        found = (index(place.name(side, "term"), k), index(piece, place.in_pieces(side, operand.k, "term")))
        return (unrolled("i", copies.turns, *found, copy),)

    def _of_lookup(self, side: Side) -> list[Expr]:
        """What holds of a row that is there, of those that data names."""
        if side.operand.looks_up_k:
            return [Call(">=", (Local(self.place.name(side, "row")), ZERO), "bool")]
        lookup = side.operand.lookup
        return [] if lookup is None or not lookup.conditions else [self._there(side)]

    def _source(self, side: Side) -> Expr:
        place, copies, operand = self.place, self.copies(side), side.operand
        name, piece = place.name(side, "from"), Local(place.name(side, "piece"))
        if operand.looks_up_k:
            return Pointer(name, place.times(Local(place.name(side, "row")), place.pitch(side)))
        further = () if not operand.k_is_in_pieces else (piece,)
        if operand.k_is_in_pieces and not operand.along_k:
            moved = within_piece(place, side, scaled(EACH, copies.rows_a_turn)) if are_of_tiles(place, side) else ZERO
            return Pointer(name, total(moved, piece))
        if copies.is_one_pointer:
            return Pointer(name, total(place.times(scaled(EACH, copies.rows_a_turn), place.pitch(side)), *further))
        row = Element(Local(name, _pointer(side)), EACH, _pointer(side))
        return Offset(row, piece) if further else row

    def _advance(self, side: Side) -> Body:
        """The pointers of a thread move on by a tile; or the rows of the next one are looked up, which the next turn copies."""
        place, copies = self.place, self.copies(side)
        step: Expr = Const(place.tile.k)
        if side.operand.looks_up_k:
            return Assign(Local(place.name(side, "k")), step, "+="), self._lookups(side)
        if side.operand.k_is_in_pieces:
            return (Assign(Local(place.name(side, "k")), step, "+="),)
        step = step if side.operand.along_k else place.times(step, place.pitch(side))
        name = Local(place.name(side, "from"), _pointer(side))
        if copies.is_one_pointer:
            return (Assign(name, step, "+="),)
        return (unrolled("i", copies.turns, Assign(Element(name, EACH, _pointer(side)), step, "+=")),)

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

    def _in_tf32(self, side: Side) -> Fragments:
        return Fragments(self.place, side, self.copies(side).tile, self.at(side))

    def _compute(self) -> Body:
        """A warp's part of a tile: for each step of k its fragments, and their products."""
        place, unit = self.place, self.place.unit
        declared = tuple(self._declared(side) for side in place.sides)
        loads = tuple(load for side in place.sides for load in self._loads(side))
        made: Body = ()
        if unit.dtype == "tf32":
            wide = [self._in_tf32(side) for side in place.sides]
            made = tuple(statement for each in wide for statement in each.made())
            left, right = (Element(each.multiplied, each.number, Word()) for each in wide)
            product = Multiply(unit, place.fragment(MI, NI), left, right)
        else:
            a, b = (Local(place.name(side, "part"), Word()) for side in place.sides)
            of_pair = Offset(Element(b, quotient(place.ni, 2), Word()), scaled(remainder(place.ni, 2), 2))
            product = Multiply(unit, place.fragment(MI, NI), Element(a, MI, Word()), of_pair)
        products = unrolled("mi", place.rows, unrolled("ni", place.cols, product))
        sums = RowSums(place).products(Element(Local(place.name(place.a, "part"), Word()), MI, Word()))
        return (unrolled("kk", place.tile.k // unit.k, *declared, *loads, *made, products, *sums),)

    def _number(self, side: Side) -> tuple[Local, int]:
        """What counts the fragments of a side that are loaded at once, and how many there are."""
        return (MI, self.place.rows) if side is self.place.a else (PAIR, self.place.cols // 2)

    def _declared(self, side: Side) -> Statement:
        name = self.place.name(side, "part")
        if side.operand.is_wide:
            wide = self._in_tf32(side)
            return Declare(name, Word(), extent=(wide.count, wide.owned.elements))
        return Declare(name, Word(), extent=(self._number(side)[1], 4))

    def _loads(self, side: Side) -> Body:
        """The words of a side's fragments, from shared memory."""
        if side.operand.is_wide:
            return self._in_tf32(side).loads()
        place, (number, count) = self.place, self._number(side)
        _, flips, adds = self._fragment(side)
        at = total(flipped(Local(place.name(side, "at")), flips), adds, READ, self.at(side))
        array = Element(Local(place.name(side, "part"), Word()), number, Word())
        return (unrolled(number.name, count, LoadMatrix(array, Pointer(SHARED, at), transposed=not side.operand.along_k)),)


def stages_bytes(tile: MatrixTile, a: Copies, b: Copies) -> int:
    """Shared memory of all stages."""
    return tile.stages * (a.tile.bytes + b.tile.bytes)


def _pointer(side: Side) -> Address:
    return Address(Scalar(side.operand.read.dtype, True))
