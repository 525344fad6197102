"""What a kernel on matrix units knows of its block and its threads, whatever the machine: names, the first row and column, the
batch.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from uol.backends.c_text.names import legalise
from uol.backends.simt.c_text.address import quotient, remainder, scaled, total
from uol.backends.simt.c_text.counters import Counter, is_multiple, parts_of
from uol.backends.simt.c_text.printer import Printer
from uol.backends.simt.c_text.proofs import Index, Proofs, index_type
from uol.backends.simt.c_text.terms import THREAD as WORD_OF_THREAD
from uol.backends.simt.c_text.terms import Address, Element, Kind, Known, Local, Primitive, Scalar, Word
from uol.backends.simt.elements.multiples import is_multiple_of
from uol.backends.simt.kernel.nodes import Assign, Body, Declare, If, Loop, Statement, inner_bodies
from uol.backends.simt.kernel.rewrite import substituted
from uol.backends.simt.kernel.scope import Scope
from uol.backends.simt.machine.fragments import MatrixUnit
from uol.backends.simt.products.blocks import Grid
from uol.backends.simt.products.matrix.operand import Side, operands_of, terms_of_part, with_rows_in_order, with_whole_parts
from uol.backends.simt.products.matrix.schedule import MatrixTile
from uol.backends.simt.products.matrix.segments import (
    BEGIN,
    HAS_ROWS,
    ROWS_END,
    TERMS,
    find_rows,
    find_terms,
    of_known_segment,
    slots_of_rows,
)
from uol.backends.simt.products.matrix.segments import LOCALS as SEGMENT_LOCALS
from uol.codegen.indexing.arithmetic import ONE, ZERO, add, folded, mul, size, static, sub
from uol.codegen.specs.nodes import Contract
from uol.codegen.specs.sizes import known_multiples
from uol.codegen.specs.steps import used_variables
from uol.ir.program.nodes import Call, Const, Expr, Var
from uol.ir.program.walk import variables
from uol.ir.types import INDEX

BLOCK, IS_WHOLE = "$block", "$is_whole"
SHARED = "shared"
M0, N0, WARP_M, WARP_N, TILES, BEFORE = map(Local, ("m0", "n0", "warp_m", "warp_n", "tiles", "k_before"))
THREAD, LANE, EACH, MI, NI, KK = map(Local, ("thread", "lane", "i", "mi", "ni", "kk"))
GROUP, NEXT, HALF = map(Local, ("group", "r", "half"))
LOCALS = (
    "shared", "thread", "lane", "warp_m", "warp_n", "m0", "n0", "tiles", "k_before", "read", "write", "tile",
    "i", "mi", "ni", "kk", "group", "r", "pair", "half", "part", "turn", "row", "sums",
)  # fmt: skip
SUMS_LOCALS = ("ones", "has_first")
OF_A_SIDE = (
    "to", "from", "at", "k", "part", "in", "range", "step", "part_at", "outer", "term", "piece", "tf32", "wide",
    "row", "number", "next", "there", "beside", "tap",
)  # fmt: skip


def grid_of(spec: Contract, tile: MatrixTile) -> Grid:
    """Tiles along m, or places for them where rows are in segments, along n, and the number of batches."""
    if is_over(spec, "rows"):
        return Grid(slots_of_rows(spec, tile.m, size(spec.m)), parts_of(size(spec.n), tile.n), size(spec.batch))
    return Grid(parts_of(size(spec.m), tile.m), parts_of(size(spec.n), tile.n), size(spec.batch))


def is_over(spec: Contract, mode: str) -> bool:
    """Are rows, or terms, in segments?"""
    return spec.segments is not None and spec.segments.over == mode


@dataclass(frozen=True, slots=True)
class Owned:
    """What a lane owns of a fragment of the result: `width` neighbours along n, in `groups` groups. Where the operands have
    changed places, the unit's columns are rows of the result."""

    unit: MatrixUnit
    width: int
    exchanged: bool

    @staticmethod
    def of(unit: MatrixUnit) -> Owned:
        """Of a unit whose lanes own neighbours along n as it is; or along m, so that the operands change places."""
        by_rows = unit.d.row(ZERO, Const(0)) == unit.d.row(ZERO, Const(1))
        return Owned(unit, 2, exchanged=False) if by_rows else Owned(unit, 4, exchanged=True)

    @property
    def groups(self) -> int:
        return self.unit.d.elements // self.width

    @property
    def rows(self) -> int:
        """Of the result in a fragment."""
        return self.unit.n if self.exchanged else self.unit.m

    @property
    def cols(self) -> int:
        return self.unit.m if self.exchanged else self.unit.n

    @property
    def lane(self) -> Local:
        return replace(LANE, limit=self.unit.lanes)

    def row(self, group: Expr) -> Expr:
        d, element = self.unit.d, scaled(group, self.width)
        return (d.col if self.exchanged else d.row)(self.lane, element)

    def col(self, group: Expr) -> Expr:
        """Of the first of a group."""
        d, element = self.unit.d, scaled(group, self.width)
        return (d.row if self.exchanged else d.col)(self.lane, element)


@dataclass(frozen=True, slots=True)
class Place:
    """`spec` has counters in place of axes wherever an operand is dense over them. `part`: how many terms a block sums over
    where the last part of them is shorter; the spec then knows no guard that says so."""

    spec: Contract
    tile: MatrixTile
    unit: MatrixUnit
    owned: Owned
    grid: Grid
    index: Index
    printer: Printer
    batch: Counter
    a: Side
    b: Side
    part: Expr | None = None

    @staticmethod
    def of(spec: Contract, tile: MatrixTile, unit: MatrixUnit) -> Place:
        grid = grid_of(spec, tile)
        reach = [mul(grid.m, Const(tile.m)), mul(grid.n, Const(tile.n)), add(size(spec.k), Const(tile.k))]
        index = index_type(with_rows_in_order(of_known_segment(spec)), [grid.blocks, *reach])
        batch = Counter.over(spec.batch, "$batch")
        part, spec = terms_of_part(spec), with_whole_parts(spec)
        are_bounded = spec.segments is not None or part is not None
        names = legalise(spec, LOCALS + SEGMENT_LOCALS * are_bounded + SUMS_LOCALS * bool(spec.sums))
        spec = replace(
            spec,
            a=batch.shorter(spec.a),
            b=batch.shorter(spec.b),
            epilogue=tuple(batch.shortened(step) for step in spec.epilogue),
            sums=tuple(batch.shortened(step) for step in spec.sums),
        )
        operands = operands_of(spec)
        assert operands is not None, "legality has asked"
        left, right = (each.read.tensor for each in operands)
        called = (left, right) if left != right else (f"{left}_m", f"{right}_n")
        warp_m, warp_n = replace(WARP_M, limit=tile.warps_m), replace(WARP_N, limit=tile.warps_n)
        a = Side(operands[0], tile.m, M0, warp_m, tile.warp_m, called[0])
        b = Side(operands[1], tile.n, N0, warp_n, tile.warp_n, called[1])
        names = names.with_locals([*a.names(OF_A_SIDE), *b.names(OF_A_SIDE), IS_WHOLE])
        printer = Printer(names, Proofs.of(spec), index.ctype)
        for counter in (a.operand.outer, b.operand.outer, a.operand.k, *((batch,) if batch.axes else ())):
            printer = counter.known(printer)
        return Place(spec, tile, unit, Owned.of(unit), grid, index, printer, batch, a, b, part)

    @property
    def sides(self) -> tuple[Side, Side]:
        return self.a, self.b

    @property
    def m(self) -> Counter:
        return self.a.operand.outer

    @property
    def n(self) -> Counter:
        return self.b.operand.outer

    @property
    def k(self) -> Counter:
        return self.a.operand.k

    @property
    def threads(self) -> int:
        return self.tile.warps * self.unit.lanes

    @property
    def thread(self) -> Local:
        return thread_of(self.threads)

    @property
    def rows(self) -> int:
        """Fragments of a warp along m."""
        return self.tile.warp_m // self.owned.rows

    @property
    def cols(self) -> int:
        return self.tile.warp_n // self.owned.cols

    @property
    def k_is_padded(self) -> bool:
        """May the first tile of k be partial?"""
        counts = [self.k.count, *([] if self.part is None else [self.part])]
        return is_over(self.spec, "terms") or not all(self.is_whole(count, self.tile.k) for count in counts)

    def is_term(self, k: Expr) -> Expr:
        """Is a k of the first tile, which is counted from that tile's beginning, none of those before the first? Of both the
        multiples of a power of two are compared that all numbers of terms are multiples of."""
        counts = [self.k.count, *([] if self.part is None else [self.part])]
        unit = 1 if is_over(self.spec, "terms") else self.tile.k
        while not all(self.is_whole(count, unit) for count in counts):
            unit //= 2
        return Call(">=", (quotient(k, unit), quotient(BEFORE, unit)), "bool")

    @property
    def terms(self) -> Expr:
        """How many k a block sums over."""
        is_bounded = self.part is not None or is_over(self.spec, "terms")
        return TERMS if is_bounded else self.known(self.k.count)

    @property
    def first_term(self) -> Expr:
        """The first of them."""
        return BEGIN if is_over(self.spec, "terms") else ZERO

    @property
    def warps_may_rest(self) -> bool:
        """May a segment end in front of all rows that a warp has of its last tile?"""
        return is_over(self.spec, "rows") and self.tile.warps_m > 1

    def of_rows_there(self, products: Body) -> Body:
        """The products of a tile, by the warps that have rows there: those behind the end of a segment are not stored."""
        return (If(HAS_ROWS, products),) if self.warps_may_rest else products

    def count(self, side: Side) -> Expr | None:
        """Up to where rows or columns go; None where every tile is full."""
        if is_over(self.spec, "rows") and side is self.a:
            return ROWS_END
        count = side.operand.outer.count
        return None if is_multiple(count, side.tile) else self.known(count)

    @property
    def first_col(self) -> Expr:
        """Of a warp, of the tile's columns."""
        return self.b.first_of_warp

    @property
    def ends(self) -> tuple[Expr | None, Expr | None]:
        """Up to where rows and columns go; None where every tile is full."""
        return self.count(self.a), self.count(self.b)

    @property
    def ni(self) -> Local:
        """Which fragment of a warp along n."""
        return replace(NI, limit=self.cols)

    @property
    def word(self) -> Kind:
        """What registers of fragments of operands are."""
        return Scalar("f32") if self.unit.factor == "f32" and self.owned.exchanged else Word()

    @property
    def acc(self) -> Local:
        return Local(self.printer.names.variable(self.spec.acc), Scalar(self.spec.acc_dtype))

    def fragment(self, i: Expr, j: Expr) -> Expr:
        """The accumulators of a fragment."""
        return Element(Element(self.acc, i, self.acc.kind), j, self.acc.kind)

    def name(self, side: Side, what: str) -> str:
        return self.printer.names.variable(side.name(what))

    def pitch(self, side: Side) -> Expr:
        """Of an operand whose rows are in no pieces."""
        assert side.operand.pitch is not None, "in pieces"
        return side.operand.pitch

    def bytes_at_once(self, side: Side) -> int:
        """Of an access of an operand."""
        return side.operand.bytes_at_once(known_multiples(self.spec.where))

    def in_pieces(self, side: Side, counter: Counter, what: str) -> Expr:
        """How far from the first element that of a counter lies whose value is in a variable of a side."""
        named = replace(counter, name=side.name(what))
        return Known(side.operand.place(named), named.known(self.printer))

    def known(self, expr: Expr) -> Expr:
        return expr if isinstance(expr, Const) else Known(expr, self.printer)

    def times(self, of: Expr, pitch: Expr) -> Expr:
        """The first element of a row."""
        known = static(pitch)
        return Call("*", (of, self.known(pitch)), INDEX) if known is None else scaled(of, known)

    def is_whole(self, count: Expr, of: int) -> bool:
        """Is a count, or an index, a multiple of a number, under what is known of sizes?"""
        return is_multiple_of(count, of, known_multiples(self.spec.where))

    def title(self) -> str:
        counts = " x ".join(self.printer.value(each.count) for each in (self.m, self.n, self.k))
        times = f", {self.printer.value(self.grid.batch)} times" if self.spec.batch else ""
        return f"{counts}{times}; {self.tile.describe()}"

    def declarations(self) -> Iterable[Statement]:
        """Words of the machine, the first row and column of a block, its batch, the accumulators."""
        lanes, tile, spec = self.unit.lanes, self.tile, self.spec
        warp = quotient(self.thread, lanes)
        yield Declare(SHARED, Address(Scalar("u8", True), written=True), Primitive("dynamic_shared", (), ()))
        yield index("thread", WORD_OF_THREAD)
        yield index("lane", remainder(self.thread, lanes))
        yield index("warp_m", quotient(warp, tile.warps_n) if tile.warps_m > 1 else ZERO)
        yield index("warp_n", remainder(warp, tile.warps_n) if tile.warps_m > 1 else warp)
        grouped = is_over(spec, "rows")
        first, rows = ("slot", 1) if grouped else ("m0", tile.m)
        yield index(first, self._block_part(self.grid.n, self.grid.m if self.grid.batch != ONE else None, rows, self.grid.m))
        is_one_row = mul(self.grid.m, self.grid.batch) == ONE
        yield index("n0", self._block_part(ONE, None if is_one_row else self.grid.n, tile.n, self.grid.n))
        yield from self._batches()
        if grouped:
            yield from find_rows(spec, self.printer, tile.m, self.threads)
            if self.warps_may_rest:
                has_rows = Call("<", (total(M0, self.a.first_of_warp), ROWS_END), "bool")
                yield Declare(HAS_ROWS.name, HAS_ROWS.kind, Primitive("uniform", (), (has_rows,), HAS_ROWS.kind))
        elif is_over(spec, "terms"):
            yield from find_terms(spec, self.printer)
        elif self.part is not None:
            yield index(TERMS.name, self.known(self.part))
        extent = (self.rows, self.cols, self.unit.d.registers)
        yield Declare(self.acc.name, Scalar(spec.acc_dtype), extent=extent, zeroed=True, line=spec.line)

    def _block_part(self, inner: Expr, wrap: Expr | None, tile: int, count: Expr) -> Expr:
        """Where a block's tile starts: blockIdx.x / inner % wrap * tile."""
        if count in (ZERO, ONE):
            return ZERO
        value: Expr = folded(Call("/", (Var(BLOCK), inner), INDEX))
        if wrap is not None:
            value = folded(Call("%", (value, wrap), INDEX))
        return Known(folded(Call("*", (value, Const(tile)), INDEX)), self._with_block())

    def _with_block(self) -> Printer:
        """`blockIdx.x` is unsigned and of 32 bits: what is computed from it may need more."""
        text = "blockIdx.x" if self.printer.index_type == "int" else f"({self.printer.index_type})blockIdx.x"
        return self.printer.natural(BLOCK, text)

    def _batches(self) -> Iterable[Statement]:
        """The batch of a block, and those of its axes that are needed."""
        if not self.batch.axes:
            return
        blocks = mul(self.grid.m, self.grid.n)
        value = folded(Call("/", (Var(BLOCK), ONE if blocks == ZERO else blocks), INDEX))
        yield index(self.printer.names.variable(self.batch.name), Known(value, self._with_block()))
        scope = Scope(self.printer)
        needed = [variables(each) for each in (self.spec.a, self.spec.b, self.part) if each is not None]
        scope.axes(self.batch, used_variables((*self.spec.epilogue, *self.spec.sums)).union(*needed))
        yield from scope.body

    def tiles_of_k(self) -> Iterable[Statement]:
        """How many tiles of k there are, and how many k of the first are before the first."""
        count = self.terms
        if count != TERMS:
            yield index("tiles", self.known(parts_of(self.k.count, self.tile.k)))
        else:
            yield index("tiles", quotient(total(count, self.tile.k - 1), self.tile.k))
        if self.k_is_padded:
            yield index("k_before", Call("-", (scaled(TILES, self.tile.k), count), INDEX))

    def zeroed(self) -> Body:
        """The sums begin anew."""
        sums = Element(self.fragment(MI, NI), EACH, self.acc.kind)
        zero = Assign(sums, Const(0.0, self.spec.acc_dtype))
        return nest((("mi", self.rows), ("ni", self.cols), ("i", self.unit.d.registers)), (zero,))

    def clamped(self, side: Side, place: Expr, several: Expr) -> Expr:
        """A place along m or n, or that of the last `several` where tiles go beyond them."""
        count = self.count(side)
        if count is None:
            return place
        last = total(count, -1) if count == ROWS_END else self.known(sub(side.operand.outer.count, several))
        return Call("min", (place, last), INDEX)


def thread_of(threads: int) -> Local:
    """Which of the threads of a block one is."""
    return replace(THREAD, limit=threads)


def index(name: str, value: Expr) -> Declare:
    """`const int name = value;`"""
    return Declare(name, Scalar(INDEX), value)


def unrolled(name: str, count: int, *body: Statement) -> Statement:
    """A loop of few turns that the compiler writes out."""
    is_bare = len(body) == 1 and not inner_bodies(body[0])
    return Loop(name, ZERO, Const(count), body, unrolled=True, few=True, bare=is_bare)


def nest(loops: Sequence[tuple[str, int]], body: Body) -> Body:
    """Statements within unrolled loops; none for a single turn."""
    for name, count in reversed(loops):
        body = (unrolled(name, count, *body),) if count > 1 else substituted(body, {name: ZERO})
    return body
