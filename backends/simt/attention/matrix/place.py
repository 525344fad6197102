"""What the kernel of an attention on matrix units knows of its block and its threads: names, the first row, the batch, where
its tiles of queries, keys and values lie.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import reduce

from uol.backends.c_text.names import legalise
from uol.backends.simt.attention.batch_numbers import room_for
from uol.backends.simt.attention.matrix.ends import ends_of_cols, without_ends
from uol.backends.simt.attention.matrix.form import Form, form_of
from uol.backends.simt.attention.matrix.known_tiles import KnownTiles
from uol.backends.simt.attention.matrix.lanes import GRAIN, HALF, Lanes, element_of, filled
from uol.backends.simt.attention.matrix.schedule import MatrixRows
from uol.backends.simt.attention.matrix.seen import Bound, bounds_of
from uol.backends.simt.attention.matrix.tiles import Staged
from uol.backends.simt.c_text.counters import Counter, is_multiple, parts_of
from uol.backends.simt.c_text.printer import Printer
from uol.backends.simt.c_text.proofs import Index, Proofs, index_type
from uol.backends.simt.c_text.terms import Element, Local
from uol.backends.simt.kernel.nodes import Declare, Statement
from uol.backends.simt.machine.fragments import MatrixUnit
from uol.backends.simt.products.matrix.operand import Operand, operand_of
from uol.backends.simt.products.matrix.place import MI, Owned
from uol.codegen.attention.batch_numbers import BatchNumber, with_batch_numbers, without_batch_numbers
from uol.codegen.attention.pages import PAGE, Pages, with_pages
from uol.codegen.attention.parts import dot_product, weighted_product
from uol.codegen.indexing.arithmetic import ONE, ZERO, add, mul, size, static, sub
from uol.codegen.specs.nodes import Attention
from uol.codegen.specs.steps import used_variables
from uol.codegen.specs.traverse import mapped, reads
from uol.ir.program.nodes import Call, Const, Expr
from uol.ir.types import INDEX

FULL, COLS_END, BEGIN, FULL_FROM = map(Local, ("full", "cols_end", "begin", "full_from"))
LOCALS = (
    *("shared", "thread", "lane", "warp_m", "m0", "n0", "tiles", "full", "read", "write", "tile", "next"),
    *("i", "mi", "ni", "kk", "pair", "half", "r", "group", "part", "turn", "row", "sums"),
    *("highest", "from", "shrink", "inverse", "col0", "cols_end", "begin", "full_from"),
)
TOP, WEIGHT, SCALE = "$top", "$weight", "$scale"


def rows_apart(spec: Attention) -> Attention:
    """The attention with its last axis of rows alone; the others, heads that share a key, are batches. Integers of a batch
    are variables, keys in pages are rows of one; of parts of the cols, and of batches with a number of keys, these end where
    `Place.ends` says."""
    spec = without_ends(with_pages(with_batch_numbers(spec)[0])[0])
    return replace(spec, batch=(*spec.batch, *spec.rows[:-1]), rows=spec.rows[-1:])


def operands_of(spec: Attention) -> tuple[Operand, Operand, Operand] | None:
    """Queries, keys and values; None where one is no matrix."""
    (dot,), (total_,) = spec.dots, spec.sums
    rows, cols = Counter.over(spec.rows, "$at_row"), Counter.over(spec.cols, "$at_col")
    depth, width = Counter.over(dot.depth, "$at_depth"), Counter.over(total_.width, "$at_width")
    product, sums = dot_product(spec, dot), weighted_product(spec, total_)
    q, k = operand_of(product, dot.a, rows, depth), operand_of(product, dot.b, cols, depth)
    v = operand_of(sums, total_.value, width, cols)
    return None if q is None or k is None or v is None else (q, k, v)


def grid_of(spec: Attention, tile: MatrixRows) -> Expr:
    """Blocks: a tile of rows each, of every batch."""
    return mul(size(spec.batch), parts_of(size(spec.rows), tile.rows))


@dataclass(frozen=True, slots=True)
class Place(Lanes):
    """`spec` has its last rows apart, and counters in place of the axes of its batch. `bounds`: conditions of scores that say
    how far cols go; `always`: those that are asked of every score. `ends`: the cols from which on keys and values are zeros, of
    parts or batches of which some have fewer cols than others; `numbers`: what these are that memory says; `pages`: where keys
    and values lie that a table has the pages of."""

    spec: Attention
    tile: MatrixRows
    unit: MatrixUnit
    form: Form
    printer: Printer
    index: Index
    batch: Counter
    q: Operand
    k: Operand
    v: Operand
    bounds: tuple[Bound, ...]
    always: tuple[Expr, ...]
    ends: tuple[Expr, ...] = ()
    numbers: tuple[BatchNumber, ...] = ()
    pages: Pages | None = None

    @staticmethod
    def of(spec: Attention, tile: MatrixRows, unit: MatrixUnit) -> Place:
        named, numbers = with_batch_numbers(spec)
        joined, pages = with_pages(named)
        ends, spec = ends_of_cols(joined), rows_apart(spec)
        blocks = grid_of(spec, tile)
        rows, cols = (size(spec.rows), tile.rows), (size(spec.cols), (tile.stages + 1) * tile.cols)
        plain = without_batch_numbers(spec, numbers)
        ends_of_tiles = (add(count, Const(beyond)) for count, beyond in (rows, cols))
        in_pages = () if pages is None else (mul(pages.count, step) for step in pages.steps.values())
        kind = index_type(plain, [blocks, *ends_of_tiles, *room_for(numbers, cols[0]), *in_pages])
        batch = Counter.over(spec.batch, "$batch")
        spec = mapped(spec, expr=batch.shorter, step=batch.shortened)
        ends = tuple(map(batch.shorter, ends))
        form, operands = form_of(spec), operands_of(spec)
        assert form is not None, "legality has asked"
        assert operands is not None, "legality has asked"
        names = legalise(spec, LOCALS)
        tensors, places = (each.read.tensor for each in operands), ("to", "from", "at", "part", "in", "row")
        names = names.with_locals(f"${tensor}_{what}" for tensor in tensors for what in places)
        names = names.with_locals([PAGE, TOP, WEIGHT, SCALE, *(each.name for each in numbers)])
        printer = Printer(names, Proofs.of(spec), kind.ctype)
        for counter in (operands[0].outer, operands[1].outer, *((batch,) if batch.axes else ())):
            printer = counter.known(printer)
        bounds, always = bounds_of(form.asked, spec)
        always = (*always, *form.looked_up)
        return Place(spec, tile, unit, form, printer, kind, batch, *operands, bounds, always, ends, numbers, pages)

    @property
    def rows(self) -> Counter:
        return self.q.outer

    @property
    def cols(self) -> Counter:
        return self.k.outer

    @property
    def depth(self) -> int:
        """How many terms the dot of a score has, filled up with zeros."""
        return filled(static(self.q.k.count) or 0)

    @property
    def width(self) -> int:
        """How many columns the sums of a row have, filled up."""
        return filled(static(self.v.outer.count) or 0, max(GRAIN, Owned.of(self.unit).cols))

    @property
    def width_fragments(self) -> int:
        return self.width // Owned.of(self.unit).cols

    @property
    def keeps_queries(self) -> bool:
        """Do fragments of queries stay in registers?"""
        return self.is_turned or self.tile.warp_rows * self.depth <= MOST_QUERIES

    @property
    def staged(self) -> Staged:
        """What lies where in shared memory."""
        return Staged.of(self.tile, self.depth, self.width, self.q.bytes, apart=not self.keeps_queries)

    @property
    def keeps_maximum(self) -> bool:
        """Is the maximum of a row asked for, beside what it is for its exponentials?"""
        return self.form.hi.name in used_variables(self.spec.epilogue)

    @property
    def last_row(self) -> Expr:
        return sub(self.rows.count, ONE)

    @property
    def reads_by_row(self) -> bool:
        """Is anything read for each score?"""
        return any(True for each in (self.form.value, *self.always) for _ in reads(each))

    @property
    def cols_are_whole(self) -> bool:
        """Is every tile of cols full?"""
        return is_multiple(self.cols.count, self.tile.cols)

    @property
    def begins_late(self) -> bool:
        """Do cols begin later for later rows, so that tiles before `BEGIN` are not visited?"""
        return any(not bound.is_end for bound in self.bounds)

    @property
    def begin(self) -> Expr:
        """The first col that is visited."""
        return BEGIN if self.begins_late else ZERO

    @property
    def looks_up_rows(self) -> bool:
        """Is each row of keys and values looked up, for a tile of cols may be of several pages?"""
        return self.pages is not None and self.pages.rows % self.tile.cols != 0

    @property
    def has_own_end(self) -> bool:
        """Do cols end where memory says, or are they asked for one by one, so that their end is a variable?"""
        return bool(self.ends) and (bool(self.numbers) or self.pages is not None)

    @property
    def col_ends(self) -> tuple[Expr, ...]:
        """What cols that a tile brings are less than, where it may bring others."""
        if self.has_own_end:
            return (COLS_END,)
        return (*(() if self.cols_are_whole else (self.cols.count,)), *self.ends)

    def ends_of_tile(self, *, is_first: bool) -> tuple[Expr, ...]:
        """The same of one tile: the first has all of its cols where there are as many as a tile has, but for ends that are
        found on the way."""
        return self.ends if is_first and self.known_tiles.is_whole and not self.has_own_end else self.col_ends

    @property
    def known_tiles(self) -> KnownTiles:
        """Nothing of rows whose cols begin later for later rows."""
        if self.begins_late:
            return KnownTiles()
        return KnownTiles.of(self.rows.count, self.cols.count, self.bounds, self.tile.rows, self.tile.cols)

    def named(self, operand: Operand, what: str) -> str:
        return self.name(f"${operand.read.tensor}_{what}")

    @property
    def scores(self) -> Local:
        return self.array(self.form.dot.name)

    @property
    def sums(self) -> Local:
        return self.array(self.form.sum.name)

    def of_row(self, name: str) -> Element:
        """What a lane has of its row."""
        return element_of(self.array(name), MI, HALF)

    def title(self) -> str:
        rows, cols = (self.printer.value(each.count) for each in (self.rows, self.cols))
        times = f", {self.printer.value(self.batch.count)} times" if self.spec.batch else ""
        return f"{rows} rows x {cols} cols{times}; {self.tile.describe()}"

    def declarations(self) -> Iterable[Statement]:
        """Words of the machine, the first row of a block, its batch, its number of keys."""
        is_last_longest = any(bound.is_end for bound in self.bounds)
        beside = () if self.pages is None else (self.pages.number,)
        yield from self.block(self.spec, self.rows, self.batch, self.numbers, from_last=is_last_longest, beside=beside)
        if self.has_own_end:
            least = reduce(lambda a, b: Call("min", (a, b), INDEX), self.ends, self.cols.count)
            yield Declare(COLS_END.name, COLS_END.kind, self.known(least))


MOST_QUERIES = 16 * 128
"""Elements of queries that a warp keeps in fragments: 32 registers of each thread."""
