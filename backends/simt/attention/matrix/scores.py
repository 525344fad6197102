"""A tile of cols: the scores of a warp's rows, their maximum, their exponentials, and the sums of values that these weight.

What was summed under a smaller maximum is multiplied by exp(old - new). Scores are kept as multiples of log2(e), so that an
exponential is one instruction; a row that has seen nothing but -inf has none, for -inf less -inf is NaN.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import e, inf, log2

from uol.backends.simt.attention.matrix.lanes import KK, PAIR, element_of, words
from uol.backends.simt.attention.matrix.place import FULL, FULL_FROM, SCALE, TOP, WEIGHT, Place
from uol.backends.simt.attention.matrix.tiles import FRAGMENT_ROWS, below_each_other, beside_each_other, further
from uol.backends.simt.c_text.address import flipped, quotient, remainder, scaled, total
from uol.backends.simt.c_text.counters import is_multiple
from uol.backends.simt.c_text.terms import Element, Local, Offset, Pointer, Primitive, Scalar, Word, select
from uol.backends.simt.kernel.nodes import Assign, Block, Body, Declare, If, LoadMatrix, Multiply, Statement
from uol.backends.simt.kernel.pipeline import READ, TILE
from uol.backends.simt.kernel.scope import Scope, all_of
from uol.backends.simt.products.matrix.place import LANE, MI, NI, SHARED, index, nest, unrolled
from uol.codegen.indexing.arithmetic import ZERO
from uol.ir.program.nodes import Call, Const, Expr, Var
from uol.ir.program.walk import rewrite, variables

FLOAT = Scalar("f32")
HIGHEST, FROM, SHRINK = (Local(name, FLOAT) for name in ("highest", "from", "shrink"))
COL0 = Local("col0")
"""The first col of a tile, where it is no multiple of a turn's number."""
NONE = Const(-inf, "f32")
"""The maximum of nothing, and the score of a col that a row does not see."""
PACKED = {"f16": "pack_f16", "bf16": "pack_bf16"}


def greatest(a: Expr, b: Expr) -> Expr:
    """The greater; NaN where one is."""
    return Primitive("greatest", (), (a, b), FLOAT)


def exponential(of: Expr) -> Expr:
    """2^of"""
    return Primitive("exp2_flushed", (), (of,), FLOAT)


def computed(fn: str, *args: Expr) -> Expr:
    return Call(fn, args, "f32")


def scale_of(place: Place) -> Expr:
    """What a score, or a dot, is multiplied by to be an exponent of 2."""
    form, factor = place.form, log2(e)
    if form.scale is not None:
        return Const(form.scale * factor, "f32")
    if isinstance(form.divisor, Const):
        return Const(factor / float(form.divisor.value), "f32")
    return place.array(SCALE) if form.divisor is not None else Const(factor, "f32")


class Scores:
    """The statements of one tile of cols."""

    def __init__(self, place: Place) -> None:
        self.place = place

    @property
    def first_col(self) -> Expr:
        """Of the tile."""
        return total(self.place.begin, scaled(TILE, self.place.tile.cols))

    def statements(self, *, masked: bool) -> Body:
        """All of them; `masked`: may some rows not see some cols?"""
        masks = tuple(self.masks(masked=masked))
        if self.place.begins_late and self.asks_of_tiles:
            masks = (If(self.is_edge, masks),)
        return self.with_masks(masks)

    def with_masks(self, masks: Iterable[Statement]) -> Body:
        """All of them, these in place of those that mask scores."""
        return (*self.products(), *masks, *self.exponentials(), *self.left_out(), *self.weighted())

    @property
    def asks_of_tiles(self) -> bool:
        """May a tile that all rows see whole go without masks?"""
        return not self.place.always and self.place.form.is_scaled

    @property
    def is_edge(self) -> Expr:
        """Are there cols of the tile that some rows do not see?"""
        first, cols = self.first_col, self.place.tile.cols
        if not self.place.begins_late:
            return Call(">=", (first, scaled(FULL, cols)), "bool")
        before = Call("<", (first, FULL_FROM), "bool")
        return Call("or", (before, Call(">", (total(first, Const(cols)), FULL), "bool")), "bool")

    def addresses(self) -> Iterable[Statement]:
        """Where a lane finds its rows of keys and values in a stage."""
        place = self.place
        keys = total(remainder(LANE, 8), scaled(quotient(LANE, 16), 8))
        yield index(place.named(place.k, "at"), beside_each_other(place.staged.keys, keys))
        yield index(place.named(place.v, "at"), below_each_other(place.staged.values, remainder(LANE, FRAGMENT_ROWS)))

    def products(self) -> Iterable[Statement]:
        """The products of a warp's queries with a tile of keys."""
        place, unit = self.place, self.place.unit
        q, k = (words(place.named(each, "part")) for each in (place.q, place.k))
        pairs = place.col_fragments // 2
        extent = (place.row_fragments, place.col_fragments, unit.d.registers)
        yield Declare(place.scores.name, FLOAT, extent=extent, zeroed=True, line=place.form.dot.line)
        below = place.staged.keys.rows_further(PAIR, FRAGMENT_ROWS)
        at = total(flipped(Local(place.named(place.k, "at")), further(KK)), below, READ, place.staged.stages_at)
        load = LoadMatrix(Element(k, PAIR, Word()), Pointer(SHARED, at))
        of_pair = Offset(Element(k, quotient(NI, 2), Word()), scaled(remainder(NI, 2), 2))
        left: Expr = Element(Element(q, MI, Word()), KK, Word()) if place.keeps_queries else Element(q, MI, Word())
        product = Multiply(unit, element_of(place.scores, MI, NI), left, of_pair)
        loaded: Body = () if place.keeps_queries else self.queries()
        body: Body = (
            *loaded,
            Declare(k.name, Word(), extent=(pairs, 4)),
            unrolled("pair", pairs, load),
            *nest((("mi", place.row_fragments), ("ni", place.col_fragments)), (product,)),
        )
        yield unrolled("kk", place.depth // unit.k, *body)

    def queries(self) -> Body:
        """Fragments of queries for one step along the depth."""
        place = self.place
        q, tile = words(place.named(place.q, "part")), place.staged.queries
        at = total(flipped(Local(place.named(place.q, "at")), further(KK)), tile.rows_further(MI, FRAGMENT_ROWS))
        load = LoadMatrix(Element(q, MI, Word()), Pointer(SHARED, at))
        return Declare(q.name, Word(), extent=(place.row_fragments, 4)), *nest((("mi", place.row_fragments),), (load,))

    def masks(self, *, masked: bool) -> Iterable[Statement]:
        """Scores as the text has them, where they are no multiples of products; -inf for cols that a row does not see."""
        place, form = self.place, self.place.form
        conditions = [*place.always]
        if masked:
            conditions += [bound.condition for bound in place.bounds]
        is_partial = masked and not place.cols_are_whole
        if not conditions and not is_partial and form.is_scaled:
            return
        element = place.of_lane(place.scores)
        value: Expr = element
        if not form.is_scaled:
            value = rewrite(form.value, lambda node: element if node == Var(form.dot.name, form.dot.dtype) else None)
        if is_partial:
            conditions.insert(0, Call("<", (Var(place.cols.name), place.cols.count), "bool"))
        chosen = select(all_of(conditions), value, NONE) if conditions else value
        yield from self._assigned(chosen, form.hi.line)

    def left_out(self) -> Iterable[Statement]:
        """Weights that multiply nothing become 0, behind the sum of all."""
        kept, element = self.place.form.kept, self.place.of_lane(self.place.scores)
        if kept is not None:
            yield from self._assigned(select(kept, element, Const(0.0, "f32")), self.place.form.sum.line)

    def _assigned(self, value: Expr, line: int) -> Iterable[Statement]:
        """A value of row and col for each score."""
        place, scope, element = self.place, Scope(self.place.printer), self.place.of_lane(self.place.scores)
        row, col = (place.name(each.name) for each in (place.rows, place.cols))
        scope.axes(place.cols, variables(value))
        assigned = scope.value(value)
        at_col = index(col, total(self.first_col, place.col))
        inner: Body = (at_col, *scope.body, Assign(element, assigned, line=line))
        of_cols = nest((("ni", place.col_fragments), ("r", place.each)), inner)
        at = place.row
        if place.reads_by_row and not is_multiple(place.rows.count, place.tile.rows):
            at = Call("min", (at, place.known(place.last_row)), "idx")
        rows = nest((("mi", place.row_fragments), ("half", place.halves)), (index(row, at), *of_cols))
        is_loop = place.row_fragments * place.halves > 1
        # Where masks and weights that are left out both stand in one tile, each has names of its own, as in a loop.
        yield from rows if is_loop or place.form.kept is None else (Block(rows),)

    def exponentials(self) -> Iterable[Statement]:
        """Of each row its new maximum, what was summed before relative to that, exponentials and their sum."""
        place, scale = self.place, scale_of(self.place)
        top, weights = place.of_row(TOP), place.of_row(place.form.total.name)
        score = place.of_lane(place.scores)
        of_cols = (("ni", place.col_fragments), ("r", place.each))
        shift = computed("*", HIGHEST, scale)
        exponent = Primitive("fused", (), (score, scale, computed("neg", FROM)), FLOAT)
        sums = place.of_lane(place.sums)
        rows: Body = (
            Declare(HIGHEST.name, FLOAT, top, constant=False),
            *nest(of_cols, (Assign(HIGHEST, greatest(HIGHEST, score)),)),
            Assign(HIGHEST, place.folded(HIGHEST, "Greatest")),
            Declare(FROM.name, FLOAT, select(Call("==", (HIGHEST, NONE), "bool"), Const(0.0, "f32"), shift)),
            Declare(SHRINK.name, FLOAT, exponential(computed("-", computed("*", top, scale), FROM))),
            Assign(top, HIGHEST),
            Assign(weights, SHRINK, "*="),
            *nest(of_cols, (Assign(score, exponential(exponent)), Assign(weights, score, "+="))),
            *nest((("ni", place.width_fragments), ("r", place.each)), (Assign(sums, SHRINK, "*="),)),
        )
        yield from nest((("mi", place.row_fragments), ("half", place.halves)), rows)

    def weighted(self) -> Iterable[Statement]:
        """The sums of a tile of values, weighted with the exponentials, which lie in registers as products want them."""
        place, unit, tile = self.place, self.place.unit, self.place.staged.values
        weight, v = words(place.name(WEIGHT)), words(place.named(place.v, "part"))
        pairs = -(-place.width_fragments // 2)
        pack = PACKED[place.form.dtype]
        packs: list[Statement] = []
        for register, pair in enumerate(left_operand(place.unit.d.elements)):
            values = (element_of(place.scores, MI, total(scaled(KK, 2), number), Const(element)) for number, element in pair)
            target = Element(Element(weight, MI, Word()), Const(register), Word())
            packs.append(Assign(target, Primitive(pack, (), tuple(values), Word())))
        at = total(
            flipped(Local(place.named(place.v, "at")), further(PAIR)),
            tile.rows_further(KK, FRAGMENT_ROWS),
            READ,
            place.staged.stages_at + place.staged.keys.bytes,
        )
        load = LoadMatrix(Element(v, ZERO, Word()), Pointer(SHARED, at), transposed=True)
        of_pair = Offset(Element(v, ZERO, Word()), scaled(NI, 2))
        product = Multiply(unit, element_of(place.sums, MI, total(scaled(PAIR, 2), NI)), Element(weight, MI, Word()), of_pair)
        yield unrolled(
            "kk",
            place.tile.cols // unit.k,
            Declare(weight.name, Word(), extent=(place.row_fragments, 4)),
            *nest((("mi", place.row_fragments),), tuple(packs)),
            unrolled(
                "pair",
                pairs,
                Declare(v.name, Word(), extent=(1, 4)),
                load,
                *nest((("mi", place.row_fragments), ("ni", 2)), (product,)),
            ),
        )


def left_operand(elements: int) -> Sequence[tuple[tuple[int, int], tuple[int, int]]]:
    """Of two fragments of a result side by side, as a left operand: which (fragment, element) are the halves of each of its
    registers. Rows g and g + 8 of the first, then of the second (PTX ISA, fragments of m16n8k16; a test holds it to the
    owner maps)."""
    pairs = [((number, first), (number, first + 1)) for number in (0, 1) for first in range(0, elements, 2)]
    return pairs
