"""What rows and cols of a block's scores a thread has: of fragments of a matrix unit, or of those whose operands have changed
places. The kernels of attentions and of their gradients have that in common.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import replace

from uol.backends.simt.attention.batch_numbers import declared, read_at
from uol.backends.simt.attention.matrix.schedule import MatrixRows
from uol.backends.simt.c_text.address import quotient, remainder, scaled, total
from uol.backends.simt.c_text.counters import Counter, parts_of
from uol.backends.simt.c_text.printer import Printer
from uol.backends.simt.c_text.terms import THREAD as WORD_OF_THREAD
from uol.backends.simt.c_text.terms import Address, Element, Functor, Known, Local, Primitive, Scalar, Word, block_index
from uol.backends.simt.kernel.nodes import Declare, Statement
from uol.backends.simt.kernel.scope import Scope
from uol.backends.simt.machine.fragments import MatrixUnit
from uol.backends.simt.products.blocks import declare_batch, with_block
from uol.backends.simt.products.matrix.place import LANE, M0, MI, NI, SHARED, WARP_M, Owned, index, thread_of
from uol.codegen.attention.batch_numbers import BatchNumber
from uol.codegen.indexing.arithmetic import ONE, ZERO, folded, static, sub
from uol.codegen.specs.nodes import Attention
from uol.codegen.specs.traverse import expressions
from uol.ir.program.nodes import Call, Const, Expr
from uol.ir.program.walk import variables

HALF, R, PAIR, KK = map(Local, ("half", "r", "pair", "kk"))
GRAIN = 16
"""Terms of one product of a matrix unit, which depths and widths are filled up to with zeros."""
QUAD = 4
"""Lanes that share a row of a fragment (PTX ISA, "Matrix fragments for mma.m16n8k16")."""


class Lanes:
    """A block's tile on the threads of its warps, each of which has whole rows."""

    __slots__ = ()
    tile: MatrixRows
    unit: MatrixUnit
    printer: Printer

    @property
    @abstractmethod
    def rows(self) -> Counter:
        """The rows of all blocks."""

    @property
    def threads(self) -> int:
        return self.tile.warps * self.unit.lanes

    @property
    def thread(self) -> Local:
        return thread_of(self.threads)

    @property
    def warp(self) -> Local:
        return replace(WARP_M, limit=self.tile.warps)

    @property
    def lane(self) -> Local:
        return replace(LANE, limit=self.unit.lanes)

    @property
    def row_fragments(self) -> int:
        """How many fragments a warp has below each other."""
        return self.tile.warp_rows // Owned.of(self.unit).rows

    @property
    def col_fragments(self) -> int:
        return self.tile.cols // Owned.of(self.unit).cols

    def name(self, what: str) -> str:
        """The C name of a variable."""
        return self.printer.names.variable(what)

    def known(self, expr: Expr) -> Expr:
        return expr if isinstance(expr, Const) else Known(expr, self.printer)

    def array(self, name: str) -> Local:
        """An array of floats, in registers."""
        return Local(self.name(name), Scalar("f32"))

    @property
    def is_turned(self) -> bool:
        """Have operands changed places, so that the rows of a fragment are cols?"""
        return Owned.of(self.unit).exchanged

    @property
    def halves(self) -> int:
        """Rows that a lane has of a fragment."""
        return 1 if self.is_turned else 2

    @property
    def each(self) -> int:
        """Elements that a lane has of each."""
        return self.unit.d.elements // self.halves

    def folded(self, value: Expr, by: str) -> Expr:
        """Over the lanes that share a row."""
        if self.is_turned:
            return Primitive("strided_fold", (self.unit.n,), (value, Functor(by)), Scalar("f32"))
        return Primitive("group_fold", (QUAD,), (value, Functor(by)), Scalar("f32"))

    def of_lane(self, array: Local) -> Element:
        """An element of a fragment: of row `half` the `r`-th."""
        return element_of(array, MI, NI, total(scaled(HALF, self.each), R))

    @property
    def row(self) -> Expr:
        """The number of a lane's row."""
        of_warp = scaled(self.warp, self.tile.warp_rows)
        if self.is_turned:
            return total(M0, of_warp, scaled(MI, self.unit.n), remainder(self.lane, self.unit.n))
        return total(M0, of_warp, scaled(MI, self.unit.m), scaled(HALF, 8), quotient(self.lane, 4))

    @property
    def col(self) -> Expr:
        """The number of a lane's col within a tile."""
        return self.col_of(R)

    def col_of(self, element: Expr) -> Expr:
        """The same of one of its elements of a row. Of turned fragments rows of keys lie so that a lane has 8 neighbours."""
        if self.is_turned:
            eights = total(scaled(quotient(element, 8), 16), scaled(quotient(self.lane, self.unit.n), 8), remainder(element, 8))
            return total(scaled(NI, self.unit.m), eights)
        return total(scaled(NI, self.unit.n), scaled(remainder(self.lane, 4), 2), element)

    def times(self, of: Expr, pitch: Expr) -> Expr:
        """The first element of a row."""
        known = static(pitch)
        return Call("*", (of, self.known(pitch)), "idx") if known is None else scaled(of, known)

    def block(
        self,
        spec: Attention,
        rows: Counter,
        batch: Counter,
        numbers: Sequence[BatchNumber] = (),
        *,
        from_last: bool,
        beside: Sequence[Expr] = (),
    ) -> Iterable[Statement]:
        """Words of the machine, the first row of a block, its batch and the numbers that this has. `from_last`: blocks with the
        last rows come first. `beside`: what is read beside what the spec says."""
        lanes = self.unit.lanes
        yield Declare(SHARED, Address(Scalar("u8", True), written=True), Primitive("dynamic_shared", (), ()))
        yield index("thread", WORD_OF_THREAD)
        yield index("lane", remainder(self.thread, lanes))
        yield index("warp_m", quotient(self.thread, lanes))
        tiles = parts_of(rows.count, self.tile.rows)
        yield index("m0", self._first_row(tiles, is_one_of_batch=bool(spec.batch), from_last=from_last))
        yield index("n0", ZERO)
        scope = Scope(self.printer)
        needed = (*expressions(spec), *beside, *read_at(numbers, batch))
        declare_batch(batch, tiles, frozenset().union(*(variables(e) for e in needed)), scope)
        yield from scope.body
        yield from declared(numbers, batch, scope.printer)

    def _first_row(self, tiles: Expr, *, is_one_of_batch: bool, from_last: bool) -> Expr:
        """Blocks with the last rows come first where these see the most cols, so that no core begins with them at last."""
        if tiles == ONE:
            return ZERO
        printer = with_block(self.printer)
        block: Expr = block_index(printer)
        if is_one_of_batch:
            block = Call("%", (block, tiles), "idx")
        if from_last:
            block = Call("-", (sub(tiles, ONE), block), "idx")
        return Known(folded(Call("*", (block, Const(self.tile.rows)), "idx")), printer)


def filled(count: int, grain: int = GRAIN) -> int:
    """A depth or a width, filled up to whole fragments."""
    return -(-count // grain) * grain


def element_of(array: Local, *places: Expr) -> Element:
    """`array[i][j]`"""
    found: Expr = array
    for place in places:
        found = Element(found, place, array.kind)
    assert isinstance(found, Element)
    return found


def words(name: str) -> Local:
    """An array of registers of fragments."""
    return Local(name, Word())
