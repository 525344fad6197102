"""Statements that bring tiles to shared memory: keys and values some stages ahead, queries once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from uol.backends.simt.attention.matrix.lanes import words
from uol.backends.simt.attention.matrix.paging import looked_up
from uol.backends.simt.attention.matrix.place import Place
from uol.backends.simt.attention.matrix.tiles import FRAGMENT_ROWS, Copies, below_each_other, further, pitch_of
from uol.backends.simt.c_text.address import flipped, remainder, scaled, total
from uol.backends.simt.c_text.counters import is_multiple
from uol.backends.simt.c_text.terms import Address, Element, Local, Pointer, Primitive, Scalar, Word
from uol.backends.simt.kernel.layouts import SharedTile
from uol.backends.simt.kernel.nodes import (
    Assign,
    Barrier,
    Block,
    Body,
    Commit,
    CopyAsync,
    Declare,
    Do,
    If,
    LoadMatrix,
    Loop,
    Statement,
    Wait,
)
from uol.backends.simt.kernel.pipeline import WRITE
from uol.backends.simt.kernel.scope import all_of
from uol.backends.simt.products.matrix.operand import Operand
from uol.backends.simt.products.matrix.place import EACH, KK, LANE, M0, MI, SHARED, index, nest, unrolled
from uol.codegen.indexing.arithmetic import ZERO
from uol.codegen.specs.sizes import known_multiples
from uol.ir.program.nodes import Call, Const
from uol.ir.types import INDEX

NEXT = Local("next")
"""The first col of the tile that is fetched next."""


@dataclass(frozen=True, slots=True)
class Fetches:
    """The copies of one block."""

    place: Place

    def copies(self, operand: Operand, tile: SharedTile) -> Copies:
        width = operand.bytes_at_once(known_multiples(self.place.spec.where))
        return Copies(tile, self.place.threads, width, operand.bytes)

    def queries(self) -> Body:
        """Queries in shared memory; in fragments, where these stay in registers. Rows beyond the last are the last again."""
        place, staged = self.place, self.place.staged
        copies = self.copies(place.q, staged.queries)
        row = total(M0, copies.row, scaled(EACH, copies.rows_a_turn))
        if not is_multiple(place.rows.count, place.tile.rows):
            row = Call("min", (row, place.known(place.last_row)), "idx")
        at_row = place.times(row, pitch_of(place.q))
        source = Pointer(self._tensor(place.q), total(place.known(place.q.first), at_row, copies.col))
        to = staged.queries.further(copies.to, EACH, copies.rows_a_turn)
        copy = CopyAsync(Pointer(SHARED, to), source, copies.bytes, copies.within(place.q, place))
        first = total(scaled(place.warp, place.tile.warp_rows), remainder(LANE, FRAGMENT_ROWS))
        at = index(place.named(place.q, "at"), below_each_other(staged.queries, first))
        loaded: Body = ()
        if place.keeps_queries:
            part, steps = words(place.named(place.q, "part")), place.depth // place.unit.k
            byte = total(
                flipped(Local(place.named(place.q, "at")), further(KK)), staged.queries.rows_further(MI, FRAGMENT_ROWS)
            )
            load = LoadMatrix(Element(Element(part, MI, Word()), KK, Word()), Pointer(SHARED, byte))
            extent = (place.row_fragments, steps, 4)
            loaded = (
                Declare(part.name, Word(), extent=extent),
                *nest((("mi", place.row_fragments), ("kk", steps)), (load,)),
                Barrier(),
            )
        return (unrolled("i", copies.turns, copy), Commit(), Wait(0), Barrier(), at, *loaded)

    def addresses(self) -> Iterable[Statement]:
        """The declarations of the addresses that a thread copies keys and values from and to."""
        place, staged = self.place, self.place.staged
        yield Declare(NEXT.name, NEXT.kind, place.begin, constant=False)
        for operand, tile in ((place.k, staged.keys), (place.v, staged.values)):
            copies = self.copies(operand, tile)
            yield index(place.named(operand, "to"), copies.to)
            row = ZERO if place.looks_up_rows else place.times(copies.row, pitch_of(operand))
            if place.begins_late and place.pages is None:
                row = total(row, place.times(place.begin, pitch_of(operand)))
            at = total(place.known(operand.first), row, copies.col)
            start = Primitive("pinned", (), (Pointer(self._tensor(operand), at),), _pointer(operand))
            yield Declare(place.named(operand, "from"), _pointer(operand), start, constant=place.pages is not None)
        yield from self._rows_of_pages(declared=True)

    def rows_of(self, operand: Operand) -> Local:
        """The variable with the places of an operand's rows in pages: values share that of keys where they lie as these do."""
        place, staged = self.place, self.place.staged
        assert place.pages is not None
        alike = [
            (place.looks_up_rows and self.copies(each, tile), pitch_of(each), place.pages.steps[each.read.tensor])
            for each, tile in ((place.k, staged.keys), (place.v, staged.values))
        ]
        return Local(place.named(place.k if alike[0] == alike[1] else operand, "row"))

    def _rows_of_pages(self, *, declared: bool = False) -> Iterable[Statement]:
        """Which rows of the cache a thread copies next: looked up a tile before they are copied."""
        place, staged = self.place, self.place.staged
        if place.pages is None:
            return
        found = {self.rows_of(operand): (operand, tile) for operand, tile in ((place.v, staged.values), (place.k, staged.keys))}
        for array, (operand, tile) in reversed(found.items()):
            copies = self.copies(operand, tile)
            if not place.looks_up_rows:
                yield from ((Declare(array.name, Scalar(INDEX), constant=False),) if declared else ())
                yield Block(looked_up(place, operand, array, NEXT))
                continue
            if declared:
                yield Declare(array.name, Scalar(INDEX), extent=(copies.turns,), constant=False)
            col = total(NEXT, copies.row, scaled(EACH, copies.rows_a_turn))
            yield unrolled("i", copies.turns, *looked_up(place, operand, Element(array, EACH, Scalar(INDEX)), col))

    def fetch(self, *, is_first: bool = False) -> Body:
        """The copies of a thread, of one tile of keys and one of values. What lies behind the last col is 0: what is multiplied
        with a weight of 0 must be a number. `is_first`: of the first tile, which may be known to have all of its cols."""
        place, staged = self.place, self.place.staged
        found: list[Statement] = []
        at = staged.stages_at
        for operand, tile in ((place.k, staged.keys), (place.v, staged.values)):
            copies = self.copies(operand, tile)
            conditions = [] if (within := copies.within(operand, self.place)) is None else [within]
            col = total(NEXT, copies.row, scaled(EACH, copies.rows_a_turn))
            further = place.times(scaled(EACH, copies.rows_a_turn), pitch_of(operand))
            if place.pages is not None:
                array = self.rows_of(operand)
                found_at = Element(array, EACH, Scalar(INDEX)) if place.looks_up_rows else array
                further = found_at if place.looks_up_rows else total(found_at, further)
                conditions.append(Call(">=", (found_at, ZERO), "bool"))
            if not place.looks_up_rows:
                conditions += [Call("<", (col, place.known(end)), "bool") for end in place.ends_of_tile(is_first=is_first)]
            to = tile.further(Local(place.named(operand, "to")), EACH, copies.rows_a_turn)
            source = Pointer(place.named(operand, "from"), further)
            valid = all_of(conditions) if conditions else None
            copy = CopyAsync(Pointer(SHARED, total(to, WRITE, at)), source, copies.bytes, valid)
            found.append(unrolled("i", copies.turns, copy))
            at += tile.bytes
        return tuple(found)

    def advance(self) -> Body:
        """Pointers move on by a tile."""
        place, cols = self.place, self.place.tile.cols
        if place.pages is not None:
            return (Assign(NEXT, Const(cols), "+="), *self._rows_of_pages())
        moves = [
            Assign(Local(place.named(each, "from"), _pointer(each)), place.times(Const(cols), pitch_of(each)), "+=")
            for each in (place.k, place.v)
        ]
        return (*moves, *((Assign(NEXT, Const(cols), "+="),) if place.col_ends else ()))

    def _tensor(self, operand: Operand) -> str:
        return self.place.printer.names.tensor(operand.read.tensor)


def element_by_element(body: Body) -> Body:
    """The statements with copies of single elements: of tensors that begin at no multiple of 16 bytes. Those are there at once:
    nothing waits for them but a barrier."""
    return tuple(_copied(statement) for statement in body if not isinstance(statement, Commit | Wait))


def _copied(statement: Statement) -> Statement:
    match statement:
        case CopyAsync(to=to, source=source, bytes=size, valid=valid):
            args = (to, source) if valid is None else (to, source, valid)
            return Do(Primitive("copy_elements", (size,), args))
        case If(body=body) | Loop(body=body) | Block(body=body):
            return replace(statement, body=element_by_element(body))
    return statement


def _pointer(operand: Operand) -> Address:
    return Address(Scalar(operand.read.dtype, True))
