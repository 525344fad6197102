"""The products of a tile on a machine with `ldmatrix`: dots of rows with cols, and sums of cols that the weights multiply."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from uol.backends.simt.attention.gradient.copies import Fetches, Staged
from uol.backends.simt.attention.gradient.elements import masks, values_of_rows, weights
from uol.backends.simt.attention.gradient.heads import BEGIN, COL0, first_head, moved, next_head
from uol.backends.simt.attention.gradient.place import COL_VALUE_BYTES, Place
from uol.backends.simt.attention.matrix.lanes import KK, PAIR, element_of, words
from uol.backends.simt.attention.matrix.scores import FLOAT
from uol.backends.simt.attention.matrix.tiles import FRAGMENT_ROWS, below_each_other, beside_each_other, further
from uol.backends.simt.c_text.address import flipped, quotient, remainder, scaled, total
from uol.backends.simt.c_text.terms import Element, Local, Offset, Pointer, Primitive, Word
from uol.backends.simt.kernel.nodes import Body, Declare, Do, LoadMatrix, Multiply, Statement
from uol.backends.simt.kernel.pipeline import READ, TileLoop, asynchronous
from uol.backends.simt.products.matrix.place import LANE, MI, NI, SHARED, TILES, index, nest, unrolled
from uol.codegen.indexing.arithmetic import ZERO
from uol.codegen.specs.nodes import Dot, Read
from uol.ir.program.nodes import Expr


@dataclass(frozen=True, slots=True)
class Streamed:
    """The loop of a kernel whose tiles come by asynchronous copies."""

    place: Place
    staged: Staged

    @staticmethod
    def of(place: Place) -> Streamed:
        return Streamed(place, Staged.of(place))

    @property
    def shared_bytes(self) -> int:
        return self.staged.bytes

    def defect(self) -> str | None:
        """Why there is no such kernel."""
        return Fetches(self.place, self.staged).defect()

    def loop(self) -> Body:
        """Rows, and the tiles of cols."""
        place, fetches = self.place, Fetches(self.place, self.staged)
        fetch = fetches.fetch()
        compute: Body = (
            *(statement for number in range(len(place.form.dots)) for statement in self._dot(number, fetches)),
            *masks(place),
            *weights(place, self._load_pair),
            *(statement for number in range(len(place.form.sums)) for statement in self._sum(number)),
            *next_head(place, COL0),
            moved(place, COL0),
        )
        loop = TileLoop(TILES, fetch, fetch, compute, fetches.advance(), self.staged.stage_bytes)
        return (
            *fetches.rows(),
            *values_of_rows(place),
            *fetches.addresses(),
            *self._addresses(),
            Declare(COL0.name, COL0.kind, BEGIN, constant=False),
            *first_head(place),
            *asynchronous(loop, place.tile.stages),
        )

    def _addresses(self) -> Iterable[Statement]:
        """Where a lane finds its rows of a stage: as right operands of dots, and turned for sums."""
        place, staged = self.place, self.staged
        dots = {number for _, number in place.operands.of_dots}
        sums = {number for _, number in place.operands.of_sums}
        for number, operand in enumerate(place.operands.cols):
            beside = total(remainder(LANE, 8), scaled(quotient(LANE, 16), 8))
            if number in dots:
                yield index(place.named(operand, "at"), beside_each_other(staged.cols[number], beside))
            if number in sums:
                below = below_each_other(staged.cols[number], remainder(LANE, FRAGMENT_ROWS))
                yield index(place.named(operand, "turned_at"), below)

    def _stage_at(self, number: int) -> int:
        return self.staged.stages_at + self.staged.cols_at(number)

    def _dot(self, number: int, fetches: Fetches) -> Iterable[Statement]:
        """Products of a warp's rows with a tile of cols."""
        place, unit = self.place, self.place.unit
        dot: Dot = place.form.dots[number]
        at_row, at_col = place.operands.of_dots[number]
        rows, cols, tile = place.operands.rows[at_row], place.operands.cols[at_col], self.staged.cols[at_col]
        a, b = words(place.row_name(rows, "part")), words(place.named(cols, "part"))
        pairs = place.col_fragments // 2
        extent = (place.row_fragments, place.col_fragments, unit.d.registers)
        yield Declare(place.dot(dot).name, FLOAT, extent=extent, zeroed=True, line=dot.line)
        chunk = flipped(Local(place.named(cols, "at")), further(KK))
        at = total(chunk, tile.rows_further(PAIR, FRAGMENT_ROWS), READ, self._stage_at(at_col))
        load = LoadMatrix(Element(b, PAIR, Word()), Pointer(SHARED, at))
        loaded: Body = ()
        left: Expr = Element(Element(a, MI, Word()), KK, Word())
        if not place.keeps_rows:
            left = Element(a, MI, Word())
            fragment = fetches.load_of_rows(rows, at_row, left)
            fragments = nest((("mi", place.row_fragments),), (fragment,))
            loaded = (Declare(a.name, Word(), extent=(place.row_fragments, 4)), *fragments)
        of_pair = Offset(Element(b, quotient(NI, 2), Word()), scaled(remainder(NI, 2), 2))
        product = Multiply(unit, element_of(place.dot(dot), MI, NI), left, of_pair)
        yield unrolled(
            "kk",
            place.depth(cols) // unit.k,
            *loaded,
            Declare(b.name, Word(), extent=(pairs, 4)),
            unrolled("pair", pairs, load),
            *nest((("mi", place.row_fragments), ("ni", place.col_fragments)), (product,)),
        )

    def _load_pair(self, read: Read, pair: Local, first: Expr) -> Statement:
        """What is read for two neighbouring cols, from shared memory."""
        values = self.staged.stages_at + self.staged.values_at(self.place.of_col.index(read))
        at = total(scaled(first, COL_VALUE_BYTES), READ, values)
        return Do(Primitive("load_words", (2 * COL_VALUE_BYTES,), (pair, Pointer(SHARED, at))))

    def _sum(self, number: int) -> Iterable[Statement]:
        """The sums of a tile of cols, which the weights multiply as left operands."""
        place, unit = self.place, self.place.unit
        value, at_col = place.operands.of_sums[number]
        tile, part = self.staged.cols[at_col], words(place.named(value, "part"))
        each = place.form.sums[number]
        chunk = flipped(Local(place.named(value, "turned_at")), further(PAIR))
        at = total(chunk, tile.rows_further(KK, FRAGMENT_ROWS), READ, self._stage_at(at_col))
        load = LoadMatrix(Element(part, ZERO, Word()), Pointer(SHARED, at), transposed=True)
        of_pair = Offset(Element(part, ZERO, Word()), scaled(NI, 2))
        weight = Element(Element(place.weight(each.weight), MI, Word()), KK, Word())
        product = Multiply(unit, element_of(place.sums(each), MI, total(scaled(PAIR, 2), NI)), weight, of_pair)
        yield unrolled(
            "kk",
            place.tile.cols // unit.k,
            unrolled(
                "pair",
                place.width_fragments(number) // 2,
                Declare(part.name, Word(), extent=(1, 4)),
                load,
                *nest((("mi", place.row_fragments), ("ni", 2)), (product,)),
            ),
        )
