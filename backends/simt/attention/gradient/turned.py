"""A gradient of an attention whose tiles come to shared memory through registers, and whose operands change places: gfx90a.

    s^T = q k^T, dp^T = dy v^T      a lane has one row, of which it has 16 dots a fragment
    dk^T += q^T ds^T                so weights are the right operand of the next product, as they lie

Cols that a dot reads lie in shared memory row by row, such that a lane's dots are those of eight neighbours; those that a sum
reads lie there a second time, with cols along their rows: a thread turns four rows by four neighbours in its registers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from uol.backends.simt.attention.gradient.copies import pointer_to
from uol.backends.simt.attention.gradient.elements import masks, values_of_rows, weights
from uol.backends.simt.attention.gradient.heads import BEGIN, COL0, NEXT_COL, first_head, moved, next_head, step_of
from uol.backends.simt.attention.gradient.place import COL_VALUE_BYTES, Place
from uol.backends.simt.attention.matrix.lanes import HALF, KK, element_of, words
from uol.backends.simt.attention.matrix.registers import EIGHT, in_eights
from uol.backends.simt.attention.matrix.scores import FLOAT
from uol.backends.simt.attention.matrix.tiles import is_before, pitch_of, row_bytes
from uol.backends.simt.c_text.address import flipped, quotient, remainder, scaled, total
from uol.backends.simt.c_text.counters import is_multiple
from uol.backends.simt.c_text.terms import Element, Local, Offset, Pointer, Primitive, Word
from uol.backends.simt.kernel.layouts import CHUNK_BYTES
from uol.backends.simt.kernel.nodes import Assign, Block, Body, Declare, Do, If, Multiply, Statement
from uol.backends.simt.kernel.pipeline import READ, WRITE, TileLoop, in_one_stage, through_registers
from uol.backends.simt.kernel.scope import all_of
from uol.backends.simt.products.matrix.moves import BLOCK, Moves
from uol.backends.simt.products.matrix.operand import Operand
from uol.backends.simt.products.matrix.place import EACH, M0, MI, NEXT, NI, SHARED, TILES, index, nest
from uol.codegen.indexing.arithmetic import static
from uol.codegen.specs.nodes import Read
from uol.codegen.specs.sizes import known_multiples
from uol.ir.program.nodes import Call, Const, Expr

OfValue = Callable[[int, Read, Expr], Statement]
"""A statement for what is read for each col: its number, what it is, and the number of a thread's col."""


@dataclass(frozen=True, slots=True)
class Turned:
    """The loop of one kernel. `straight`: what dots read of cols; `across`: what sums read, turned."""

    place: Place
    straight: tuple[Moves, ...]
    across: tuple[Moves, ...]
    load: str

    @staticmethod
    def of(place: Place, load: str = "load_words") -> Turned:
        known, operands, cols = known_multiples(place.spec.where), place.operands, place.tile.cols

        def moves(operand: Operand) -> Moves:
            held = row_bytes(place.held(next(n for n, each in enumerate(operands.cols) if _is_same(each, operand))), 1)
            outer, k = (cols, held) if operand.along_k else (held, cols)
            return Moves(operand, outer, k, place.threads, operand.bytes_at_once(known), operand.bytes)

        straight = tuple(moves(operands.cols[number]) for number in dict.fromkeys(number for _, number in operands.of_dots))
        across = {number: moves(value) for value, number in operands.of_sums}
        return Turned(place, straight, tuple(across.values()), load)

    def defect(self) -> str | None:
        """Why tiles do not come so."""
        return next((defect for each in (*self.straight, *self.across) if (defect := each.defect()) is not None), None)

    @property
    def registers(self) -> int:
        """Of a thread, for fragments, sums, and what is on its way."""
        loaded = sum(each.turns * each.words for each in self.straight)
        loaded += BLOCK * sum(each.turns * each.words for each in self.across)
        return self.place.sum_registers + self.place.row_registers + loaded

    def _at(self, moves: Moves) -> int:
        """Where a tile lies in a stage."""
        tiles = (*self.straight, *self.across)
        return sum(each.tile.bytes for each in tiles[: tiles.index(moves)])

    def _values_at(self, number: int) -> int:
        tiles = sum(each.tile.bytes for each in (*self.straight, *self.across))
        return tiles + number * self.place.tile.cols * COL_VALUE_BYTES

    @property
    def stage_bytes(self) -> int:
        """A power of two, so that the other stage is found by one exclusive or."""
        return 1 << (self._values_at(len(self.place.of_col)) - 1).bit_length()

    @property
    def shared_bytes(self) -> int:
        """Of all stages: the last ends with what it has."""
        return (self.place.tile.stages - 1) * self.stage_bytes + self._values_at(len(self.place.of_col))

    def loop(self) -> Body:
        """Rows, addresses, and the tiles of cols."""
        place = self.place
        compute: Body = (
            *(statement for number in range(len(place.form.dots)) for statement in self._dot(number)),
            *masks(place),
            *weights(place, self._load_pair),
            *(statement for number in range(len(place.form.sums)) for statement in self._sum(number)),
            *next_head(place, COL0),
            moved(place, COL0),
        )
        fetch = self._fetch()
        loop = TileLoop(TILES, fetch, fetch, compute, self._advance(), self.stage_bytes, place=self._stored())
        rows = tuple(statement for operand in place.operands.rows for statement in self._rows(operand))
        pipelined = in_one_stage if place.tile.stages == 1 else through_registers
        col0 = Declare(COL0.name, COL0.kind, BEGIN, constant=False)
        return (*rows, *values_of_rows(place), *self._addresses(), col0, *first_head(place), *pipelined(loop))

    def _rows(self, operand: Operand) -> Body:
        """What a warp's dots have of rows, from memory to fragments. Rows beyond the last are the last again."""
        place, unit = self.place, self.place.unit
        row = total(M0, scaled(place.warp, place.tile.warp_rows), scaled(MI, unit.n), remainder(place.lane, unit.n))
        if not is_multiple(place.rows.count, place.tile.rows):
            row = Call("min", (row, place.known(place.last_row)), "idx")
        size = operand.bytes_at_once(known_multiples(place.spec.where))
        steps, parts, each = place.depth(operand) // (2 * EIGHT), CHUNK_BYTES // size, size // operand.bytes
        part = words(place.row_name(operand, "part"))
        col = total(scaled(KK, 2 * EIGHT), scaled(quotient(place.lane, unit.n), EIGHT), scaled(EACH, each))
        at = total(place.known(operand.first), place.times(Local("row"), pitch_of(operand)), col)
        fragment = Element(Element(part, MI, Word()), KK, Word())
        target = Offset(fragment, scaled(EACH, size // 4)) if parts > 1 else fragment
        count = operand.inner.count
        valid = () if static(count) == place.depth(operand) else (Call("<", (col, place.known(count)), "bool"),)
        load = Do(Primitive(self.load, (size,), (target, Pointer(self._tensor(operand.read), at), *valid)))
        turns = nest((("mi", place.row_fragments),), (index("row", row), *nest((("kk", steps), ("i", parts)), (load,))))
        return (
            Declare(part.name, Word(), extent=(place.row_fragments, steps, 4)),
            *(turns if place.row_fragments > 1 else (Block(turns),)),
        )

    def _addresses(self) -> Iterable[Statement]:
        """Where a thread loads from, puts that, and where a lane has its fragments."""
        place, unit = self.place, self.place.unit
        yield Declare(NEXT_COL.name, NEXT_COL.kind, BEGIN, constant=False)
        for moves in (*self.straight, *self.across):
            operand, is_turned = moves.operand, not moves.operand.along_k
            at = place.times(total(BEGIN, moves.row), pitch_of(operand))
            at = total(place.known(place.first_operand(operand)), at, moves.col)
            start = Pointer(self._tensor(operand.read), at)
            yield Declare(self._named(moves, "from"), pointer_to(operand.read), start, constant=False)
            at = moves.tile.chunk(remainder(place.lane, unit.m), quotient(place.lane, unit.m))
            yield index(self._named(moves, "at"), at)
            extent = (moves.turns, BLOCK, moves.words) if is_turned else (moves.turns, moves.words)
            yield Declare(self._named(moves, "in"), Word(), extent=extent)
            if is_turned:
                chunk = moves.tile.chunk(moves.col, quotient(moves.row, EIGHT))
                yield index(self._named(moves, "to"), total(chunk, scaled(remainder(moves.row, EIGHT), moves.size)))
        for read in place.of_col:
            at = total(place.known(place.first_of(read)), place.times(total(BEGIN, place.thread), place.step_of(read)))
            start = Pointer(self._tensor(read), at)
            yield Declare(place.named(read, "from"), pointer_to(read), start, constant=False)
            yield Declare(place.named(read, "in"), Word(), extent=(self._turns, 1))

    @property
    def _turns(self) -> int:
        """Of what threads read for each col."""
        return -(-self.place.tile.cols // self.place.threads)

    def _named(self, moves: Moves, what: str) -> str:
        return self.place.named(moves.operand, what if moves.operand.along_k else f"turned_{what}")

    def _tensor(self, read: Read) -> str:
        return self.place.printer.names.tensor(read.tensor)

    def _fetch(self) -> Body:
        """The loads of a thread; zeros behind the last col."""
        place = self.place
        found: list[Statement] = []
        for moves in (*self.straight, *self.across):
            is_turned = not moves.operand.along_k
            further = scaled(EACH, moves.rows_a_turn)
            into = Element(words(self._named(moves, "in")), EACH, Word())
            if is_turned:
                further, into = total(further, NEXT), Element(into, NEXT, Word())
            source = Pointer(self._named(moves, "from"), place.times(further, pitch_of(moves.operand)))
            valid = self._valid(moves, total(moves.row, further))
            load = Do(Primitive(self.load, (moves.words * 4,), (into, source, *valid)))
            found += nest((("i", moves.turns), *((("r", BLOCK),) if is_turned else ())), (load,))
        return (*found, *self._of_values(self._load_of_value))

    def _valid(self, moves: Moves, row: Expr) -> tuple[Expr, ...]:
        place, operand = self.place, moves.operand
        conditions: list[Expr] = []
        if static(operand.inner.count) != (moves.k if operand.along_k else moves.outer):
            conditions.append(is_before(moves.number, moves.each, operand.inner.count, place))
        if not place.cols_are_whole:
            conditions.append(self._is_there(total(NEXT_COL, row)))
        return (all_of(conditions),) if conditions else ()

    def _is_there(self, col: Expr) -> Expr:
        return Call("<", (col, self.place.col_end), "bool")

    def _of_values(self, each: OfValue) -> Body:
        """A statement for each of what is read for cols, by as many threads as there are cols."""
        place = self.place
        col = total(place.thread, scaled(EACH, place.threads))
        body: Body = tuple(each(number, read, col) for number, read in enumerate(place.of_col))
        if body and place.threads > place.tile.cols:
            body = (If(Call("<", (place.thread, Const(place.tile.cols)), "bool"), body),)
        return nest((("i", self._turns),), body) if body else ()

    def _load_of_value(self, number: int, read: Read, col: Expr) -> Statement:
        place = self.place
        into = Element(words(place.named(read, "in")), EACH, Word())
        source = Pointer(place.named(read, "from"), place.times(scaled(EACH, place.threads), place.step_of(read)))
        valid = () if place.cols_are_whole else (self._is_there(total(NEXT_COL, col)),)
        return Do(Primitive("load_words", (COL_VALUE_BYTES,), (into, source, *valid)))

    def _store_of_value(self, number: int, read: Read, col: Expr) -> Statement:
        into = Element(words(self.place.named(read, "in")), EACH, Word())
        at = total(scaled(col, COL_VALUE_BYTES), WRITE, self._values_at(number))
        return Do(Primitive("store_words", (COL_VALUE_BYTES,), (Pointer(SHARED, at), into)))

    def _advance(self) -> Body:
        """Pointers move on by a tile."""
        place = self.place
        found: list[Statement] = []
        for moves in (*self.straight, *self.across):
            read = moves.operand.read
            step = step_of(place, NEXT_COL, pitch_of(moves.operand), place.head_step(read))
            found.append(Assign(Local(self._named(moves, "from"), pointer_to(read)), step, "+="))
        for read in place.of_col:
            step = step_of(place, NEXT_COL, place.step_of(read), place.head_step(read))
            found.append(Assign(Local(place.named(read, "from"), pointer_to(read)), step, "+="))
        is_asked = not place.cols_are_whole or place.head is not None
        return (*found, *((moved(place, NEXT_COL),) if is_asked else ()))

    def _stored(self) -> Body:
        """What was loaded goes to shared memory: for dots in another order of rows, for sums turned."""
        found: list[Statement] = []
        for moves in self.straight:
            row = in_eights(total(moves.row, scaled(EACH, moves.rows_a_turn)))
            at = total(moves.tile.part(row, quotient(moves.col, moves.each), moves.stored), WRITE, self._at(moves))
            loaded = Element(words(self._named(moves, "in")), EACH, Word())
            put = Do(Primitive("store_words", (moves.stored,), (Pointer(SHARED, at), loaded)))
            found += nest((("i", moves.turns),), (put,))
        for moves in self.across:
            tile, of_turn = moves.tile, Element(words(self._named(moves, "in")), EACH, Word())
            flips = flipped(scaled(NEXT, tile.apart * CHUNK_BYTES), scaled(EACH, moves.rows_a_turn * moves.size))
            below = scaled(NEXT, tile.rows // BLOCK * tile.row_bytes)
            at = total(flipped(Local(self._named(moves, "to")), flips), below, WRITE, self._at(moves))
            turned = Do(Primitive("transpose_4x4", (), (of_turn,)))
            store = Do(Primitive("store_words", (moves.stored,), (Pointer(SHARED, at), Element(of_turn, NEXT, Word()))))
            turns = (("i", moves.turns), ("r", BLOCK))
            found += (*nest(turns[:1], (turned,)), *nest(turns, (store,)))
        return (*found, *self._of_values(self._store_of_value))

    def _load_pair(self, read: Read, pair: Local, first: Expr) -> Statement:
        """What is read for two neighbouring cols, from shared memory."""
        at = total(scaled(first, COL_VALUE_BYTES), READ, self._values_at(self.place.of_col.index(read)))
        return Do(Primitive("load_words", (2 * COL_VALUE_BYTES,), (pair, Pointer(SHARED, at))))

    def _dot(self, number: int) -> Iterable[Statement]:
        """Products of a tile of cols with a warp's rows."""
        place, unit = self.place, self.place.unit
        dot = place.form.dots[number]
        at_row, at_col = place.operands.of_dots[number]
        rows = place.operands.rows[at_row]
        moves = next(each for each in self.straight if _is_same(each.operand, place.operands.cols[at_col]))
        a, b = words(place.row_name(rows, "part")), words(place.named(moves.operand, "part"))
        extent = (place.row_fragments, place.col_fragments, unit.d.registers)
        yield Declare(place.dot(dot).name, FLOAT, extent=extent, zeroed=True, line=dot.line)
        chunk = flipped(Local(self._named(moves, "at")), scaled(KK, 2 * CHUNK_BYTES))
        at = total(chunk, moves.tile.rows_further(NI, unit.m), READ, self._at(moves))
        load = Do(Primitive("load_words", (CHUNK_BYTES,), (Element(b, NI, Word()), Pointer(SHARED, at))))
        left = Offset(Element(b, NI, Word()), scaled(HALF, 2))
        right = Offset(Element(Element(a, MI, Word()), KK, Word()), scaled(HALF, 2))
        product = Multiply(unit, element_of(place.dot(dot), MI, NI), left, right)
        body: Body = (
            Declare(b.name, Word(), extent=(place.col_fragments, 4)),
            *nest((("ni", place.col_fragments),), (load,)),
            *nest((("half", 2), ("mi", place.row_fragments), ("ni", place.col_fragments)), (product,)),
        )
        yield from _steps(place.depth(rows) // (2 * EIGHT), body)

    def _sum(self, number: int) -> Iterable[Statement]:
        """The sums of a tile of cols, which the weights multiply as right operands."""
        place, unit, each = self.place, self.place.unit, self.place.form.sums[number]
        value, _ = place.operands.of_sums[number]
        moves = next(each for each in self.across if _is_same(each.operand, value))
        part, fragments = words(place.named(value, "turned_part")), place.width_fragments(number)
        at = total(
            flipped(Local(self._named(moves, "at")), scaled(KK, 2 * CHUNK_BYTES)),
            moves.tile.rows_further(NI, unit.m // moves.tile.interleave),
            READ,
            self._at(moves),
        )
        load = Do(Primitive("load_words", (CHUNK_BYTES,), (Element(part, NI, Word()), Pointer(SHARED, at))))
        steps = place.tile.cols // (2 * EIGHT)
        step = replace(KK, limit=steps)
        weight = Element(Element(place.weight(each.weight), MI, Word()), quotient(step, 2), Word())
        right = Offset(weight, total(scaled(remainder(step, 2), 4), scaled(HALF, 2)))
        left = Offset(Element(part, NI, Word()), scaled(HALF, 2))
        product = Multiply(unit, element_of(place.sums(each), MI, NI), left, right)
        body: Body = (
            Declare(part.name, Word(), extent=(fragments, 4)),
            *nest((("ni", fragments),), (load,)),
            *nest((("half", 2), ("mi", place.row_fragments), ("ni", fragments)), (product,)),
        )
        yield from _steps(steps, body)


def _steps(count: int, body: Body) -> Body:
    return nest((("kk", count),), body)


def _is_same(operand: Operand, other: Operand) -> bool:
    """Are both the same rows of memory?"""
    return (operand.read.tensor, operand.first) == (other.read.tensor, other.first)
