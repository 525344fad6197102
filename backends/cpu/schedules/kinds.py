"""The schedules of the CPU, as data. Nothing here needs TVM: a cached kernel is loaded without it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

TILE = 16
"""Rows and columns of a tile of a transposing copy: the f32 elements of a cache line."""
Unit = Literal["", "dots", "tiles"]
"""What multiplies words, of a processor: nothing, dot instructions, or tile registers."""


@dataclass(frozen=True, slots=True)
class Loops:
    """Plain loops, one scalar at a time: for kernels whose dims are arguments."""

    def describe(self) -> str:
        return "plain loops"


@dataclass(frozen=True, slots=True)
class Elementwise:
    """`lanes` of a vector along the innermost axis; `parallel` leading axes are fused into tasks (an only axis is cut
    into vectors first); `tile_axis` is the axis that reads are contiguous along where the result is not."""

    lanes: int
    parallel: int
    tile_axis: str = ""

    def describe(self) -> str:
        tiles = f", {TILE}x{TILE} tiles against {self.tile_axis}" if self.tile_axis else ""
        return f"{self.lanes} lanes along the result, {'parallel' if self.parallel else 'serial'}{tiles}"


@dataclass(frozen=True, slots=True)
class Reduction:
    """`along` names what feeds the lanes; `lanes` of them; `parallel` leading row axes are fused into tasks; with
    `col_tasks` above 1 every pass over the cols of a row is cut into so many tasks; `keep` names the element values that
    a row keeps between its passes. Along rows, a block is `vectors` of so many lanes: one is held in registers, more of them
    in the first-level cache, and memory is read in longer pieces. Along cols, the row that comes next may be asked for while
    one is gone over again: `ahead`."""

    along: Literal["cols", "rows"]
    lanes: int
    parallel: int
    col_tasks: int = 1
    keep: tuple[str, ...] = ()
    vectors: int = 1
    ahead: bool = False

    def describe(self) -> str:
        kept = f", keeps {', '.join(self.keep)}" if self.keep else ""
        tasks = f", {self.col_tasks} tasks a row" if self.col_tasks > 1 else ", parallel rows" if self.parallel else ""
        vectors = f"{self.vectors} x " if self.vectors > 1 else ""
        ahead = ", the next row prefetched" if self.ahead else ""
        return f"{vectors}{self.lanes} lanes along {self.along}{tasks}{kept}{ahead}"


@dataclass(frozen=True, slots=True)
class Tiles:
    """`rows` x `vectors` of `lanes` accumulators. `block` row tiles are done for one tile of columns before the next:
    with 1, a tile of a is kept in cache while b passes by; with more, a tile of b and a block of a are kept. The tile
    of b that comes next, and what the epilogue reads and writes, may be fetched meanwhile. Of a product without rows, these are
    lines of columns: the innermost axis but one. With `channels`, lanes are those of rows, and rows those of columns: a few
    channels, and pixels of a line or taps of a filter, along which results are written."""

    rows: int
    vectors: int
    lanes: int
    block: int
    parallel: bool
    prefetch_b: bool = False
    prefetch_results: bool = False
    channels: bool = False

    def describe(self) -> str:
        width = self.vectors * self.lanes
        ahead = [what for what, is_fetched in (("b", self.prefetch_b), ("results", self.prefetch_results)) if is_fetched]
        fetched = f", {' and '.join(ahead)} prefetched" if ahead else ""
        tiles = f"tiles of {self.rows}x{width}{' of channels' if self.channels else ''}"
        return f"{tiles}, blocks of {self.block}{fetched}, {'parallel' if self.parallel else 'serial'}"


@dataclass(frozen=True, slots=True)
class Panels:
    """Tiles of `rows` x `vectors` of `lanes` accumulators, over panels of b. k goes in blocks of `depth` steps; a task is
    `row_tiles` x `column_tiles` tiles, all of them for a block of k before the next. With `slivers`, the rows of a that a tile
    reads are copied, too. With `cores`, a task has as many tiles as the sizes of a call and so many cores ask for: of columns
    `column_tiles` at the most, and no more in all than those two make.

    near    each panel is copied where its tiles begin, rather than all of a task before the first of them
    unit    `dots` or `tiles`: the processor's instructions for products of words, of `word` steps along k each
    """

    rows: int
    vectors: int
    lanes: int
    depth: int
    row_tiles: int
    column_tiles: int
    parallel: bool
    prefetch_results: bool = False
    slivers: bool = False
    near: bool = False
    cores: int = 0
    unit: Unit = ""
    word: int = 1

    def describe(self) -> str:
        copied = "panels and slivers" if self.slivers else "near panels" if self.near else "panels"
        words = f" of words of {self.word}, by the processor's {self.unit}" if self.unit else ""
        tiles = f"tiles of {self.rows}x{self.vectors * self.lanes} over {copied}{words}, {self.depth} deep"
        fetched = ", results prefetched" if self.prefetch_results else ""
        most = f" at the most, for {self.cores} cores" if self.cores else ""
        tasks = f"tasks of {self.row_tiles}x{self.column_tiles} tiles{most}"
        return f"{tiles}, {tasks}{fetched}, {'parallel' if self.parallel else 'serial'}"


@dataclass(frozen=True, slots=True)
class Dots:
    """`rows` x `columns` dot products at a time, `lanes` partial sums each."""

    rows: int
    columns: int
    lanes: int
    parallel: bool

    def describe(self) -> str:
        return f"{self.rows}x{self.columns} dot products of {self.lanes} lanes, {'parallel' if self.parallel else 'serial'}"


@dataclass(frozen=True, slots=True)
class Strips:
    """An attention: `rows` rows with all their cols in a strip on the stack, whose rows are `pitch` elements apart; dots and
    sums in tiles of `tile_rows` x `vectors` of `lanes`, of which a strip's follow each other on the same columns; what is
    between them in `row_lanes` along the cols. Strips are the tasks. With `slots`, they share so many parts of a workspace, are
    of any length, and have up to `rows` rows."""

    rows: int
    tile_rows: int
    pitch: int
    vectors: int
    lanes: int
    row_lanes: int
    parallel: bool
    slots: int = 0

    def describe(self) -> str:
        tiles = f"tiles of {self.tile_rows}x{self.vectors * self.lanes}"
        rows = f"up to {self.rows} rows in {self.slots} parts of a workspace" if self.slots else f"{self.rows} rows"
        return f"strips of {rows}, {tiles}, {'parallel' if self.parallel else 'serial'}"


@dataclass(frozen=True, slots=True)
class Sweep:
    """A scan: `lanes` rows side by side, as a vector or as independent chains of additions; `parallel` leading row axes are
    fused into tasks. With `tasks`, a row is cut into tasks x lanes chunks instead: the total of each chunk first, and from
    those what each begins with. With `along`, lanes are neighbours along the axis, whose fold a vector takes in halving steps,
    and a task has one chunk."""

    lanes: int
    is_vector: bool
    parallel: int
    tasks: int = 0
    along: bool = False

    @property
    def chunks(self) -> int:
        """How many pieces a row is cut into; 0: it is not cut."""
        return self.tasks * (1 if self.along else self.lanes)

    def describe(self) -> str:
        beside = f"{self.lanes} positions in a vector" if self.along else f"{self.lanes} side by side"
        if self.tasks:
            return f"rows in {self.chunks} chunks, {beside}"
        rows = beside if self.along else f"{self.lanes} rows {'in a vector' if self.is_vector else 'side by side'}"
        return f"{rows}, {'parallel' if self.parallel else 'serial'}"


@dataclass(frozen=True, slots=True)
class Additions:
    """A scatter: `lanes` along `lane_axis`, which is cut into `pieces`; those and the axes `free` are the tasks. Points that
    differ in one of these axes share no element, so that every element is added to by one task, in one order."""

    lanes: int
    lane_axis: str
    pieces: int
    free: tuple[str, ...]
    parallel: bool

    def describe(self) -> str:
        along = f"{self.lanes} lanes along {self.lane_axis}" if self.lane_axis else "one addition after another"
        return f"{along}, {'parallel' if self.parallel else 'serial'}"


@dataclass(frozen=True, slots=True)
class Order:
    """The order of a row: with `digits`, of all its elements, byte by byte of the key; else of the first places alone, by
    insertion. `parallel` leading row axes are fused into tasks; with `slots`, rows share so many parts of a workspace."""

    digits: bool
    lanes: int
    parallel: int
    slots: int = 0

    def describe(self) -> str:
        how = "sorted by digits" if self.digits else "inserted among the first"
        tasks = "parallel" if self.parallel or self.slots > 1 else "serial"
        return f"{how}, {tasks}{f', {self.slots} parts of a workspace' if self.slots else ''}"


CpuSchedule = Loops | Elementwise | Reduction | Tiles | Panels | Dots | Strips | Sweep | Additions | Order
