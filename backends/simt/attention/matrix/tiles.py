"""Where queries, keys and values lie in shared memory, and where lanes find their fragments. Rows of a tile are those of a
tensor, filled up with zeros; each has its 16-byte chunks in an order in which no two that a warp reads at once are in the same
banks.
"""

from __future__ import annotations

from dataclasses import dataclass

from uol.backends.simt.attention.matrix.lanes import Lanes
from uol.backends.simt.attention.matrix.schedule import MatrixRows
from uol.backends.simt.c_text.address import quotient, remainder, scaled
from uol.backends.simt.kernel.layouts import CHUNK_BYTES, SharedTile
from uol.backends.simt.products.matrix.operand import Operand
from uol.backends.simt.products.matrix.place import LANE, thread_of
from uol.codegen.indexing.arithmetic import static
from uol.ir.program.nodes import Call, Const, Expr

FRAGMENT_ROWS = 16
"""Of memory that four matrices of one `ldmatrix` cover, two below each other; two chunks lie beside each other."""

LEAST_ROW = 32


@dataclass(frozen=True, slots=True)
class Staged:
    """The tiles of a block in shared memory: keys and values in each of `stages`, queries in front of all if they stay there
    (`apart`), else in place of the stages before these are filled."""

    queries: SharedTile
    keys: SharedTile
    values: SharedTile
    stages: int
    apart: bool

    @staticmethod
    def of(tile: MatrixRows, depth: int, width: int, element_bytes: int, *, apart: bool) -> Staged:
        by_depth, by_width = (row_bytes(count, element_bytes) for count in (depth, width))
        rows, cols = tile.rows, tile.cols
        return Staged(SharedTile(rows, by_depth), SharedTile(cols, by_depth), SharedTile(cols, by_width), tile.stages, apart)

    @property
    def stage_bytes(self) -> int:
        return self.keys.bytes + self.values.bytes

    @property
    def stages_at(self) -> int:
        """The byte at which the stages begin."""
        return self.queries.bytes if self.apart else 0

    @property
    def bytes(self) -> int:
        return max(self.queries.bytes, self.stages_at + self.stages * self.stage_bytes)


@dataclass(frozen=True, slots=True)
class Copies:
    """How `threads` copy a tile, so many bytes at once."""

    tile: SharedTile
    threads: int
    bytes: int
    element_bytes: int

    @property
    def across(self) -> int:
        """Copies of a row."""
        return self.tile.row_bytes // self.bytes

    @property
    def rows_a_turn(self) -> int:
        return self.threads // self.across

    @property
    def turns(self) -> int:
        """What each thread copies of the tile."""
        return self.tile.rows // self.rows_a_turn

    @property
    def row(self) -> Expr:
        """The row of the tile that a thread copies first."""
        return quotient(thread_of(self.threads), self.across)

    @property
    def col(self) -> Expr:
        """The first element of a row, the same in each turn."""
        return scaled(self.number, self.each)

    @property
    def number(self) -> Expr:
        """Of a thread's copies among those of a row."""
        return remainder(thread_of(self.threads), self.across)

    @property
    def each(self) -> int:
        """Elements of a copy."""
        return self.bytes // self.element_bytes

    @property
    def to(self) -> Expr:
        """The byte that a thread copies to in its first turn."""
        return self.tile.part(self.row, remainder(thread_of(self.threads), self.across), self.bytes)

    def within(self, operand: Operand, lanes: Lanes) -> Expr | None:
        """Is there such an element of a row of an operand? None where all are there."""
        count = operand.inner.count
        if static(count) == self.tile.row_bytes // operand.bytes:
            return None
        return is_before(self.number, self.each, count, lanes)

    def defect(self) -> str | None:
        """Why that is not possible."""
        if self.threads % self.across or self.tile.rows % self.rows_a_turn or not self.tile.may_go_by(self.rows_a_turn):
            return f"{self.threads} threads do not copy {self.tile.rows} rows of {self.tile.row_bytes} bytes in whole turns"
        if FRAGMENT_ROWS % self.tile.repeats:
            return f"rows of {self.tile.row_bytes} bytes are too short for fragments of {FRAGMENT_ROWS} rows"
        return None


def is_before(number: Expr, each: int, count: Expr, lanes: Lanes) -> Expr:
    """Is the `number`-th group of `each` neighbours before the end of so many elements? Whole groups are counted."""
    known = static(count)
    if known is not None and known % each == 0:
        return Call("<", (number, Const(known // each)), "bool")
    return Call("<", (scaled(number, each), lanes.known(count)), "bool")


def pitch_of(operand: Operand) -> Expr:
    """Elements from row to row of an operand whose rows do not lie in pieces."""
    assert operand.pitch is not None, "in pieces"
    return operand.pitch


def below_each_other(tile: SharedTile, first: Expr) -> Expr:
    """Where a lane finds its row of four matrices, the first two below each other: of queries as they lie, of values that are
    turned on the way."""
    return tile.chunk(first, quotient(LANE, FRAGMENT_ROWS))


def beside_each_other(tile: SharedTile, first: Expr) -> Expr:
    """The same, the first two beside each other: of keys."""
    return tile.chunk(first, remainder(quotient(LANE, 8), 2))


def further(number: Expr) -> Expr:
    """What the byte of a lane's chunk is exclusive-ored with for the `number`-th pair of chunks."""
    return scaled(number, 2 * CHUNK_BYTES)


def row_bytes(count: int, element_bytes: int) -> int:
    """Of a row of shared memory of at least so many elements: a power of two of them, of those for which sums of a row lie in
    different banks (`epilogue.Sums`)."""
    return max(LEAST_ROW, 1 << max(count - 1, 0).bit_length()) * element_bytes
