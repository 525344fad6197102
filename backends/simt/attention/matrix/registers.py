"""An attention whose tiles come to shared memory through registers, and whose operands have changed places: gfx90a.

    s^T = k q^T       a lane has one row of queries, of which it has 16 scores a fragment
    y^T = v^T s^T     so they are the right operand of the next product, as they lie

Rows of keys lie in shared memory such that a lane's scores are those of eight neighbours, which it reads of values by 16 bytes.
Values lie there with keys along their rows: a thread turns four rows by four neighbours in its registers.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from uol.backends.simt.attention.matrix.lanes import HALF, KK, element_of, words
from uol.backends.simt.attention.matrix.paging import looked_up
from uol.backends.simt.attention.matrix.place import WEIGHT, Place
from uol.backends.simt.attention.matrix.scores import COL0, PACKED, Scores
from uol.backends.simt.attention.matrix.tiles import is_before
from uol.backends.simt.c_text.address import flipped, quotient, remainder, scaled, total
from uol.backends.simt.c_text.counters import is_multiple
from uol.backends.simt.c_text.terms import Address, Element, Local, Offset, Pointer, Primitive, Scalar, Word
from uol.backends.simt.kernel.layouts import CHUNK_BYTES
from uol.backends.simt.kernel.nodes import Assign, Block, Body, Declare, Do, If, Multiply, Statement
from uol.backends.simt.kernel.pipeline import READ, WRITE, TileLoop, through_registers
from uol.backends.simt.kernel.scope import all_of
from uol.backends.simt.products.matrix.moves import BLOCK, Moves
from uol.backends.simt.products.matrix.operand import Operand
from uol.backends.simt.products.matrix.place import EACH, M0, MI, NEXT, NI, SHARED, TILES, index, nest
from uol.codegen.indexing.arithmetic import ONE, ZERO, static, sub
from uol.codegen.specs.sizes import known_multiples
from uol.ir.program.nodes import Call, Const, Expr
from uol.ir.types import INDEX

FIRST = Local("next")
"""The first col of the tile that is fetched next."""
MOST_OF_TWO_WARPS = 112
"""Registers of a thread for fragments and sums, beside which there is room for what is loaded in half of 512."""
EIGHT = 8
"""Elements of a chunk."""


class Turned(Scores):
    """The loop of one kernel. `load`: the primitive by which a thread loads what lies side by side."""

    def __init__(self, place: Place, load: str = "load_words") -> None:
        super().__init__(place)
        self.load = load
        known, threads = known_multiples(place.spec.where), place.threads
        staged, width = place.staged, place.staged.values.row_bytes // place.v.bytes
        depth = staged.keys.row_bytes // place.k.bytes
        self.keys = Moves(place.k, place.tile.cols, depth, threads, place.k.bytes_at_once(known), place.k.bytes)
        self.values = Moves(place.v, width, place.tile.cols, threads, place.v.bytes_at_once(known), place.v.bytes)

    @property
    def registers(self) -> int:
        """Of a thread, for fragments and sums."""
        place = self.place
        sums = place.unit.d.registers * (place.col_fragments + place.width_fragments)
        return place.row_fragments * (sums + 4 * (place.depth // (2 * EIGHT)))

    def defect(self) -> str | None:
        """Why tiles do not come so."""
        return self.keys.defect() or self.values.defect()

    def loop(self, *, masked: bool) -> Body:
        """Queries, addresses, and the tiles."""
        place, tiles = self.place, self.place.known_tiles
        masks = tuple(self.masks(masked=masked))
        asked = bool(masks) and masked and self.asks_of_tiles
        last = None
        if tiles.one_masked and masked:
            last = (self.with_masks(masks), sub(TILES, ONE))
            compute = self.with_masks(tuple(self.masks(masked=False)))
        else:
            compute = self.with_masks((If(self.is_edge, masks),) if asked else masks)
        moved = Assign(COL0, Const(place.tile.cols), "+=")
        loop = TileLoop(
            TILES,
            self.fetch(is_first=True),
            (*self.fetch(), *((Do(Primitive("loads_before", (), ())),) if self.load == "load_words" else ())),
            (*compute, moved),
            self.advance(),
            place.staged.stage_bytes,
            place=self.stored(),
            least=tiles.least,
            last=last,
        )
        return (*self.queries(), *self.addresses(), *through_registers(loop))

    @property
    def first_col(self) -> Expr:
        return COL0

    def queries(self) -> Body:
        """A warp's queries, from memory to fragments. Rows beyond the last are the last again."""
        place, unit = self.place, self.place.unit
        row = total(M0, scaled(place.warp, place.tile.warp_rows), scaled(MI, unit.n), remainder(place.lane, unit.n))
        if not is_multiple(place.rows.count, place.tile.rows):
            row = Call("min", (row, place.known(place.last_row)), "idx")
        size = place.q.bytes_at_once(known_multiples(place.spec.where))
        part, steps, parts = words(place.named(place.q, "part")), place.depth // (2 * EIGHT), CHUNK_BYTES // size
        each = size // place.q.bytes
        col = total(scaled(KK, 2 * EIGHT), scaled(quotient(place.lane, unit.n), EIGHT), scaled(EACH, each))
        assert place.q.pitch is not None
        at = total(place.known(place.q.first), place.times(Local("row"), place.q.pitch), col)
        fragment = Element(Element(part, MI, Word()), KK, Word())
        target = Offset(fragment, scaled(EACH, size // 4)) if parts > 1 else fragment
        count = place.q.inner.count
        valid = () if static(count) == place.depth else (Call("<", (col, place.known(count)), "bool"),)
        load = Do(Primitive(self.load, (size,), (target, Pointer(self.tensor(place.q), at), *valid)))
        inner: Body = (index("row", row), *nest((("kk", steps), ("i", parts)), (load,)))
        turns = nest((("mi", place.row_fragments),), inner)
        return (
            Declare(part.name, Word(), extent=(place.row_fragments, steps, 4)),
            *(turns if place.row_fragments > 1 else (Block(turns),)),
        )

    def tensor(self, operand: Operand) -> str:
        return self.place.printer.names.tensor(operand.read.tensor)

    def addresses(self) -> Iterable[Statement]:
        """Where a thread loads from, puts that, and where a lane has its fragments."""
        place, unit = self.place, self.place.unit
        yield Declare(FIRST.name, FIRST.kind, place.begin, constant=False)
        yield Declare(COL0.name, COL0.kind, place.begin, constant=False)
        for operand, moves in ((place.k, self.keys), (place.v, self.values)):
            assert operand.pitch is not None
            in_pages = place.pages is not None
            row = ZERO if place.looks_up_rows else place.times(moves.row, operand.pitch)
            if place.begins_late and place.pages is None:
                row = total(row, place.times(place.begin, operand.pitch))
            start = Pointer(self.tensor(operand), total(place.known(operand.first), row, moves.col))
            yield Declare(place.named(operand, "from"), _pointer(operand), start, constant=in_pages)
            at = moves.tile.chunk(remainder(place.lane, unit.m), quotient(place.lane, unit.m))
            yield index(place.named(operand, "at"), at)
            extent = (moves.turns, moves.words) if operand is place.k else (moves.turns, BLOCK, moves.words)
            yield Declare(place.named(operand, "in"), Word(), extent=extent)
        values = self.values
        chunk = values.tile.chunk(values.col, quotient(values.row, EIGHT))
        yield index(place.named(place.v, "to"), total(chunk, scaled(remainder(values.row, EIGHT), values.size)))
        yield from self._rows_of_pages(declared=True)

    def _rows_of_pages(self, *, declared: bool = False) -> Iterable[Statement]:
        """Which rows of the cache a thread loads next: looked up a tile before they are loaded."""
        place, keys, values = self.place, self.keys, self.values
        if place.pages is None:
            return
        k, v = (Local(place.named(each, "row"), Scalar(INDEX)) for each in (place.k, place.v))
        if not place.looks_up_rows:
            for operand, row in ((place.k, k), (place.v, v)):
                yield from ((Declare(row.name, Scalar(INDEX), constant=False),) if declared else ())
                yield Block(looked_up(place, operand, row, FIRST))
            return
        if declared:
            yield Declare(k.name, Scalar(INDEX), extent=(keys.turns,), constant=False)
            yield Declare(v.name, Scalar(INDEX), extent=(values.turns, BLOCK), constant=False)
        col = total(FIRST, keys.row, scaled(EACH, keys.rows_a_turn))
        yield from nest((("i", keys.turns),), looked_up(place, place.k, element_of(k, EACH), col))
        col = total(FIRST, values.row, scaled(EACH, values.rows_a_turn), NEXT)
        yield from nest((("i", values.turns), ("r", BLOCK)), looked_up(place, place.v, element_of(v, EACH, NEXT), col))

    def fetch(self, *, is_first: bool = False) -> Body:
        """The loads of a thread; zeros behind the last col."""
        place, keys, values = self.place, self.keys, self.values
        assert place.k.pitch is not None
        assert place.v.pitch is not None
        further = scaled(EACH, keys.rows_a_turn)
        into = Element(words(place.named(place.k, "in")), EACH, Word())
        source = Pointer(place.named(place.k, "from"), self._row(place.k, place.times(further, place.k.pitch), EACH))
        valid = self._valid(place.k, keys, total(keys.row, further), self.keys.k, is_first, EACH)
        loads = nest((("i", keys.turns),), (Do(Primitive(self.load, (keys.words * 4,), (into, source, *valid))),))
        further = total(scaled(EACH, values.rows_a_turn), NEXT)
        into = Element(Element(words(place.named(place.v, "in")), EACH, Word()), NEXT, Word())
        source = Pointer(place.named(place.v, "from"), self._row(place.v, place.times(further, place.v.pitch), EACH, NEXT))
        valid = self._valid(place.v, values, total(values.row, further), self.values.outer, is_first, EACH, NEXT)
        turns = (("i", values.turns), ("r", BLOCK))
        return (*loads, *nest(turns, (Do(Primitive(self.load, (values.words * 4,), (into, source, *valid))),)))

    def _row(self, operand: Operand, further: Expr, *of_turn: Expr) -> Expr:
        """The distance of a row of a turn from the thread's first row; in pages, the place that was looked up for it."""
        if self.place.pages is None:
            return further
        found = self._found(operand, *of_turn)
        return found if self.place.looks_up_rows else total(found, further)

    def _found(self, operand: Operand, *of_turn: Expr) -> Expr:
        """What was looked up: the place of a row, or that of a tile."""
        array = Local(self.place.named(operand, "row"), Scalar(INDEX))
        return element_of(array, *of_turn) if self.place.looks_up_rows else array

    def _valid(
        self, operand: Operand, moves: Moves, row: Expr, filled: int, is_first: bool, *of_turn: Expr
    ) -> tuple[Expr, ...]:
        place, count = self.place, operand.inner.count
        conditions: list[Expr] = []
        if static(count) != filled:
            conditions.append(is_before(moves.number, moves.each, count, place))
        if place.pages is not None:
            conditions.append(Call(">=", (self._found(operand, *of_turn), ZERO), "bool"))
        if not place.looks_up_rows:
            ends = place.ends_of_tile(is_first=is_first)
            conditions += [Call("<", (total(FIRST, row), place.known(end)), "bool") for end in ends]
        return (all_of(conditions),) if conditions else ()

    def advance(self) -> Body:
        """Pointers move on by a tile."""
        place, cols = self.place, Const(self.place.tile.cols)
        if place.pages is not None:
            return (Assign(FIRST, cols, "+="), *self._rows_of_pages())
        moves = []
        for each in (place.k, place.v):
            assert each.pitch is not None
            moves.append(Assign(Local(place.named(each, "from"), _pointer(each)), place.times(cols, each.pitch), "+="))
        return (*moves, Assign(FIRST, cols, "+="))

    def stored(self) -> Body:
        """What was loaded goes to shared memory: keys in another order of rows, values turned."""
        place, keys, values = self.place, self.keys, self.values
        row = in_eights(total(keys.row, scaled(EACH, keys.rows_a_turn)))
        at = total(keys.tile.part(row, quotient(keys.col, keys.each), keys.stored), WRITE)
        loaded = Element(words(place.named(place.k, "in")), EACH, Word())
        put = Do(Primitive("store_words", (keys.stored,), (Pointer(SHARED, at), loaded)))
        tile = values.tile
        of_turn = Element(words(place.named(place.v, "in")), EACH, Word())
        flips = flipped(scaled(NEXT, tile.apart * CHUNK_BYTES), scaled(EACH, values.rows_a_turn * values.size))
        below = scaled(NEXT, tile.rows // BLOCK * tile.row_bytes)
        at = total(flipped(Local(place.named(place.v, "to")), flips), below, WRITE, keys.tile.bytes)
        turned = Do(Primitive("transpose_4x4", (), (of_turn,)))
        store = Do(Primitive("store_words", (values.stored,), (Pointer(SHARED, at), Element(of_turn, NEXT, Word()))))
        turns = (("i", values.turns), ("r", BLOCK))
        return (*nest((("i", keys.turns),), (put,)), *nest(turns[:1], (turned,)), *nest(turns, (store,)))

    def products(self) -> Iterable[Statement]:
        place, unit = self.place, self.place.unit
        q, k = (words(place.named(each, "part")) for each in (place.q, place.k))
        extent = (place.row_fragments, place.col_fragments, unit.d.registers)
        yield Declare(place.scores.name, place.scores.kind, extent=extent, zeroed=True, line=place.form.dot.line)
        chunk = flipped(Local(place.named(place.k, "at")), scaled(KK, 2 * CHUNK_BYTES))
        at = total(chunk, self.keys.tile.rows_further(NI, unit.m), READ)
        load = Do(Primitive("load_words", (CHUNK_BYTES,), (Element(k, NI, Word()), Pointer(SHARED, at))))
        left = Offset(Element(k, NI, Word()), scaled(HALF, 2))
        right = Offset(Element(Element(q, MI, Word()), KK, Word()), scaled(HALF, 2))
        product = Multiply(unit, element_of(place.scores, MI, NI), left, right)
        body: Body = (
            Declare(k.name, Word(), extent=(place.col_fragments, 4)),
            *nest((("ni", place.col_fragments),), (load,)),
            *nest((("half", 2), ("mi", place.row_fragments), ("ni", place.col_fragments)), (product,)),
        )
        yield from _steps(place.depth // (2 * EIGHT), body)

    def weighted(self) -> Iterable[Statement]:
        place, unit, tile = self.place, self.place.unit, self.values.tile
        weight, v = words(place.name(WEIGHT)), words(place.named(place.v, "part"))
        steps = place.tile.cols // (2 * EIGHT)
        step = replace(KK, limit=steps)
        packs: list[Statement] = []
        for number in range(4):
            first = total(scaled(remainder(step, 2), EIGHT), 2 * number)
            values = (element_of(place.scores, MI, quotient(step, 2), total(first, n)) for n in (0, 1))
            target = Element(Element(weight, MI, Word()), Const(number), Word())
            packs.append(Assign(target, Primitive(PACKED[place.form.dtype], (), tuple(values), Word())))
        at = total(
            flipped(Local(place.named(place.v, "at")), scaled(KK, 2 * CHUNK_BYTES)),
            tile.rows_further(NI, unit.m // tile.interleave),
            READ,
            self.keys.tile.bytes,
        )
        load = Do(Primitive("load_words", (CHUNK_BYTES,), (Element(v, NI, Word()), Pointer(SHARED, at))))
        left, right = (Offset(Element(each, by, Word()), scaled(HALF, 2)) for each, by in ((v, NI), (weight, MI)))
        product = Multiply(unit, element_of(place.sums, MI, NI), left, right)
        body: Body = (
            Declare(weight.name, Word(), extent=(place.row_fragments, 4)),
            *nest((("mi", place.row_fragments),), tuple(packs)),
            Declare(v.name, Word(), extent=(place.width_fragments, 4)),
            *nest((("ni", place.width_fragments),), (load,)),
            *nest((("half", 2), ("mi", place.row_fragments), ("ni", place.width_fragments)), (product,)),
        )
        yield from _steps(steps, body)


def _steps(count: int, body: Body) -> Body:
    """An unrolled loop over terms, of several steps."""
    return nest((("kk", count),), body)


def in_eights(row: Expr) -> Expr:
    """Where a key lies: the fours of 16 of them have the second and the third exchanged."""
    fours = total(scaled(remainder(quotient(row, 4), 2), 8), scaled(remainder(quotient(row, 8), 2), 4))
    return total(scaled(quotient(row, 16), 16), fours, remainder(row, 4))


def _pointer(operand: Operand) -> Address:
    return Address(Scalar(operand.read.dtype, True))
