"""Statements that bring tiles to shared memory by asynchronous copies: cols, and what is read for each, some stages ahead; rows
once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from uol.backends.simt.attention.gradient.heads import BEGIN, NEXT_COL, moved, step_of
from uol.backends.simt.attention.gradient.place import COL_VALUE_BYTES, Place
from uol.backends.simt.attention.matrix.lanes import words
from uol.backends.simt.attention.matrix.tiles import FRAGMENT_ROWS, Copies, below_each_other, further, pitch_of, row_bytes
from uol.backends.simt.c_text.address import flipped, remainder, scaled, total
from uol.backends.simt.c_text.counters import is_multiple
from uol.backends.simt.c_text.terms import Address, Element, Local, Pointer, Scalar, Word
from uol.backends.simt.kernel.layouts import SharedTile
from uol.backends.simt.kernel.nodes import (
    Assign,
    Barrier,
    Body,
    Commit,
    CopyAsync,
    Declare,
    If,
    LoadMatrix,
    Statement,
    Wait,
)
from uol.backends.simt.kernel.pipeline import WRITE
from uol.backends.simt.kernel.scope import all_of
from uol.backends.simt.products.matrix.operand import Operand
from uol.backends.simt.products.matrix.place import EACH, KK, LANE, M0, MI, SHARED, index, nest, unrolled
from uol.codegen.specs.nodes import Read
from uol.codegen.specs.sizes import known_multiples
from uol.ir.program.nodes import Call, Const, Expr


@dataclass(frozen=True, slots=True)
class Staged:
    """What lies where in shared memory: in each stage the tiles of cols, then what is read for each col; rows in front of the
    stages if they stay there, else in place of them before these are filled."""

    rows: tuple[SharedTile, ...]
    cols: tuple[SharedTile, ...]
    stages: int
    values: int
    values_bytes: int
    apart: bool

    @staticmethod
    def of(place: Place) -> Staged:
        size, operands, tile = 2, place.operands, place.tile
        rows = tuple(SharedTile(tile.rows, row_bytes(place.depth(each), size)) for each in operands.rows)
        cols = tuple(SharedTile(tile.cols, row_bytes(place.held(number), size)) for number in range(len(operands.cols)))
        return Staged(rows, cols, tile.stages, len(place.of_col), tile.cols * COL_VALUE_BYTES, not place.keeps_rows)

    def rows_at(self, number: int) -> int:
        return sum(each.bytes for each in self.rows[:number])

    def cols_at(self, number: int) -> int:
        """The byte of a stage at which a tile of cols begins."""
        return sum(each.bytes for each in self.cols[:number])

    def values_at(self, number: int) -> int:
        """The byte of a stage at which what is read for each col begins."""
        return self.cols_at(len(self.cols)) + number * self.values_bytes

    @property
    def stage_bytes(self) -> int:
        """Stages begin at multiples of what rows of shared memory repeat after."""
        return -(-self.values_at(self.values) // STAGE_GRAIN) * STAGE_GRAIN

    @property
    def stages_at(self) -> int:
        """The byte at which the stages begin."""
        return self.rows_at(len(self.rows)) if self.apart else 0

    @property
    def bytes(self) -> int:
        return max(self.rows_at(len(self.rows)), self.stages_at + self.stages * self.stage_bytes)


STAGE_GRAIN = 128
"""Bytes that a stage is a multiple of: all banks once."""


@dataclass(frozen=True, slots=True)
class Fetches:
    """The copies of one block."""

    place: Place
    staged: Staged

    def copies(self, operand: Operand, tile: SharedTile) -> Copies:
        width = operand.bytes_at_once(known_multiples(self.place.spec.where))
        return Copies(tile, self.place.threads, width, operand.bytes)

    def defect(self) -> str | None:
        """Why tiles do not come so."""
        place, staged = self.place, self.staged
        pairs = (*zip(place.operands.rows, staged.rows, strict=True), *zip(place.operands.cols, staged.cols, strict=True))
        return next((defect for each in pairs if (defect := self.copies(*each).defect()) is not None), None)

    def rows(self) -> Body:
        """Rows in shared memory; in fragments, where these stay in registers. Those beyond the last are the last again."""
        place, staged = self.place, self.staged
        copies: list[Statement] = []
        loads: list[Statement] = []
        for number, operand in enumerate(place.operands.rows):
            copies.append(self._copy_of_rows(operand, number))
            first = total(scaled(place.warp, place.tile.warp_rows), remainder(LANE, FRAGMENT_ROWS))
            at = total(below_each_other(staged.rows[number], first), staged.rows_at(number))
            loads.append(index(place.row_name(operand, "at"), at))
            if place.keeps_rows:
                part, steps = words(place.row_name(operand, "part")), place.depth(operand) // place.unit.k
                loads.append(Declare(part.name, Word(), extent=(place.row_fragments, steps, 4)))
                target = Element(Element(part, MI, Word()), KK, Word())
                loads += nest((("mi", place.row_fragments), ("kk", steps)), (self.load_of_rows(operand, number, target),))
        behind = (Barrier(),) if place.keeps_rows else ()
        return (*copies, Commit(), Wait(0), Barrier(), *loads, *behind)

    def load_of_rows(self, operand: Operand, number: int, target: Expr) -> Statement:
        """A fragment of rows from shared memory."""
        tile = self.staged.rows[number]
        chunk = flipped(Local(self.place.row_name(operand, "at")), further(KK))
        return LoadMatrix(target, Pointer(SHARED, total(chunk, tile.rows_further(MI, FRAGMENT_ROWS))))

    def _copy_of_rows(self, operand: Operand, number: int) -> Statement:
        place, tile = self.place, self.staged.rows[number]
        copies = self.copies(operand, tile)
        row = total(M0, copies.row, scaled(EACH, copies.rows_a_turn))
        if not is_multiple(place.rows.count, place.tile.rows):
            row = Call("min", (row, place.known(place.last_row)), "idx")
        at = total(place.known(operand.first), place.times(row, pitch_of(operand)), copies.col)
        to = total(tile.further(copies.to, EACH, copies.rows_a_turn), self.staged.rows_at(number))
        source = Pointer(self._tensor(operand.read), at)
        return unrolled("i", copies.turns, CopyAsync(Pointer(SHARED, to), source, copies.bytes, copies.within(operand, place)))

    def addresses(self) -> Iterable[Statement]:
        """The declarations of the addresses that a thread copies cols from and to."""
        place = self.place
        yield Declare(NEXT_COL.name, NEXT_COL.kind, BEGIN, constant=False)
        for operand, tile in zip(place.operands.cols, self.staged.cols, strict=True):
            copies = self.copies(operand, tile)
            yield index(place.named(operand, "to"), copies.to)
            at = place.times(total(BEGIN, copies.row), pitch_of(operand))
            at = total(place.known(place.first_operand(operand)), at, copies.col)
            yield Declare(place.named(operand, "from"), pointer_to(operand.read), self._start(operand.read, at), constant=False)
        for read in place.of_col:
            at = total(place.known(place.first_of(read)), place.times(total(BEGIN, place.thread), place.step_of(read)))
            yield Declare(place.named(read, "from"), pointer_to(read), Pointer(self._tensor(read), at), constant=False)

    def _start(self, read: Read, at: Expr) -> Expr:
        return Pointer(self._tensor(read), at)

    def fetch(self) -> Body:
        """The copies of a thread, of one tile. What lies behind the last col is 0: what a weight of 0 multiplies must be a
        number."""
        place, staged = self.place, self.staged
        found: list[Statement] = []
        for number, (operand, tile) in enumerate(zip(place.operands.cols, staged.cols, strict=True)):
            copies = self.copies(operand, tile)
            conditions = [] if (within := copies.within(operand, self.place)) is None else [within]
            if not place.cols_are_whole:
                conditions.append(self._is_there(total(NEXT_COL, copies.row, scaled(EACH, copies.rows_a_turn))))
            to = tile.further(Local(place.named(operand, "to")), EACH, copies.rows_a_turn)
            further_on = place.times(scaled(EACH, copies.rows_a_turn), pitch_of(operand))
            source = Pointer(place.named(operand, "from"), further_on)
            to = total(to, WRITE, staged.stages_at + staged.cols_at(number))
            copy = CopyAsync(Pointer(SHARED, to), source, copies.bytes, all_of(conditions) if conditions else None)
            found.append(unrolled("i", copies.turns, copy))
        return (*found, *self._values())

    def _values(self) -> Body:
        """What is read for each col, by as many threads."""
        place, staged = self.place, self.staged
        turns = -(-place.tile.cols // place.threads)
        col = total(place.thread, scaled(EACH, place.threads))
        valid = None if place.cols_are_whole else self._is_there(total(NEXT_COL, col))
        copies: list[Statement] = []
        for number, read in enumerate(place.of_col):
            to = total(scaled(col, COL_VALUE_BYTES), WRITE, staged.stages_at + staged.values_at(number))
            source = Pointer(place.named(read, "from"), place.times(scaled(EACH, place.threads), place.step_of(read)))
            copies.append(CopyAsync(Pointer(SHARED, to), source, COL_VALUE_BYTES, valid))
        if not copies:
            return ()
        body: Body = tuple(copies)
        if place.threads > place.tile.cols:
            body = (If(Call("<", (place.thread, Const(place.tile.cols)), "bool"), body),)
        return nest((("i", turns),), body)

    def advance(self) -> Body:
        """Pointers move on by a tile."""
        place = self.place
        moves: list[Statement] = []
        for operand in place.operands.cols:
            step = step_of(place, NEXT_COL, pitch_of(operand), place.head_step(operand.read))
            moves.append(Assign(Local(place.named(operand, "from"), pointer_to(operand.read)), step, "+="))
        for read in place.of_col:
            step = step_of(place, NEXT_COL, place.step_of(read), place.head_step(read))
            moves.append(Assign(Local(place.named(read, "from"), pointer_to(read)), step, "+="))
        is_asked = not place.cols_are_whole or place.head is not None
        return (*moves, *((moved(place, NEXT_COL),) if is_asked else ()))

    def _is_there(self, col: Expr) -> Expr:
        return Call("<", (col, self.place.col_end), "bool")

    def _tensor(self, read: Read) -> str:
        return self.place.printer.names.tensor(read.tensor)


def pointer_to(read: Read) -> Address:
    """The kind of an address of what is read."""
    return Address(Scalar(read.dtype, True))
