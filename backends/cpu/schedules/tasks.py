"""Tasks of a product over panels: blocks of its tiles, enough of them for the cores, and few enough for the copies that each
makes. Of sizes that are numbers, or of a call's."""

from __future__ import annotations

from dataclasses import dataclass
from heapq import heapreplace

from tvm import tirx

from uol.backends.cpu.expressions.builder import Extent, index
from uol.backends.cpu.expressions.extents import ceil_div, greatest, least, quotient
from uol.backends.cpu.frame import Frame

TASKS_PER_CORE, LEAST_TASKS_PER_CORE = 8, 2
MANY_ROWS, FEWEST_ROWS, LEAST_ROWS = 1024, 512, 256
"""Rows of a task that make the copy of its columns cheap; with fewer than the second number it is not made once more, nor with
fewer than the third where rows are copied, too, or a core would have no task; of tile registers a multiple of that. Above,
columns are divided first, down to the tiles that a row is read for: a task that reads it again finds it in a cache."""
FEWEST_COLUMNS = 128
"""Columns of a task: a row of a tile, which comes from the second level or from memory, is read once for all of them."""
FEWEST_TILES, FEWEST_REGISTER_TILES = 4, 8
"""Tiles of columns that must read a sliver for its copy to pay: by multiply-adds or dots, and by tile registers, which are
faster and take half as many columns."""
TILES_SPEED = 4
"""How many times as fast as by multiply-adds products by tile registers are, at the least, of a copy's bytes: TDPBF16PS does
1024 multiply-adds a cycle on words, two units for multiply-adds of 512 bits 32 of f32, and loads hold it back."""
COPY_ROWS = 16
"""Rows of multiply-adds that take as long as the copy of their columns: a vector of it some 8 cycles, put together of two reads
and written to the second-level cache, a row of it half of one. The copy is made once more for each piece of the rows."""
TRIED, MOST_TRIED = 8, 256
"""Numbers of pieces that are compared in a call, and where sizes are numbers: of so many tasks the last ones weigh nothing."""
MOST_PLANNED = 32
"""Tasks of a core up to which each is looked at by itself: of more, the last ones weigh little."""
WHOLE = 1 << 24
"""Parts in which the time of all tasks is told."""


@dataclass(frozen=True, slots=True)
class Product:
    """Tiles of rows, each of `height`, and tiles of columns of one product; how many products there are. `frame`: of the
    kernel that works out the sizes of a call. `speed`: of the products, beside that of a copy. `copies_rows`: of a
    task, too, which divided columns would do once more. `last`: how much of a tile the last one of columns is."""

    row_tiles: Extent
    column_tiles: Extent
    batches: Extent
    height: int
    cores: int
    frame: Frame | None = None
    speed: int = 1
    copies_rows: bool = False
    last: float = 1.0

    def task(self, widest: int, most: int, fewest: int = FEWEST_TILES) -> tuple[Extent, Extent]:
        """Tiles of rows and of columns of a task: `most` in all at the most, of columns `widest`. Columns are divided
        first, down to `fewest` tiles."""
        named, lines = self._named, self.row_tiles * self.height
        wanted = named("wanted", ceil_div(TASKS_PER_CORE * self.cores, self.batches))  # of one product
        needed = ceil_div((1 if self.copies_rows else LEAST_TASKS_PER_CORE) * self.cores, self.batches)
        fewest_rows = LEAST_ROWS if self.copies_rows else FEWEST_ROWS
        wide = named("wide", least(self.column_tiles, least(widest, most)))
        pieces = _pieces(wanted, ceil_div(self.column_tiles, wide), quotient(lines, self.speed * MANY_ROWS))
        wide = named("wide", least(wide, greatest(fewest, quotient(self.column_tiles * pieces, wanted))))
        blocks = ceil_div(self.column_tiles, wide)
        pieces = _pieces(wanted, blocks, quotient(lines, max(fewest_rows, self.speed * LEAST_ROWS)))
        pieces = named("pieces", greatest(pieces, _pieces(needed, blocks, quotient(lines, LEAST_ROWS))))
        wide = named("wide", least(wide, greatest(1, quotient(self.column_tiles * pieces, needed))))
        wide = named("wide", ceil_div(self.column_tiles, greatest(1, ceil_div(self.column_tiles, wide))))
        pieces = named("pieces", greatest(pieces, ceil_div(self.row_tiles, quotient(most, wide))))
        return named("tall", ceil_div(self.row_tiles, self._even(pieces, wide))), wide

    def _named(self, name: str, value: Extent) -> Extent:
        return value if self.frame is None else self.frame.size(name, value)

    def _even(self, pieces: Extent, wide: Extent) -> Extent:
        """In how many pieces the rows go, this many or up to twice as many, so that the tasks, of so many tiles of columns,
        keep the cores busy to the end."""
        if self.frame is None:
            assert isinstance(pieces, int) and isinstance(self.row_tiles, int)
            numbers = range(pieces, 1 + max(pieces, min(2 * pieces, self.row_tiles, pieces + MOST_TRIED)))
            return min(numbers, key=lambda number: self._makespan(number, wide))
        others = self._named("others", self.batches * ceil_div(self.column_tiles, wide))
        most = self._named("most", least(2 * pieces, self.row_tiles))
        best, shortest = pieces, self._length(pieces, others)
        for more in range(1, TRIED):
            number = self._named("number", least(pieces + more, most))
            length = self._length(number, others)
            best = self._named("best", _where_less(length, shortest, number, best))
            shortest = self._named("shortest", least(length, shortest))
        return best

    def _length(self, pieces: Extent, others: Extent) -> Extent:
        """How long the tasks take: as many as a core has, of so many, of what one core takes for all rows and copies."""
        tasks = self._named("tasks", pieces * others)
        share = quotient(ceil_div(tasks, self.cores) * WHOLE, tasks)
        return self._named("length", share * (self.row_tiles * self.height + COPY_ROWS * self.speed * pieces))

    def _makespan(self, pieces: int, wide: Extent) -> float:
        """The same of sizes that are numbers, of tasks that are not alike: the last of columns and of rows may have less to do,
        and a core that is done takes what another has not begun."""
        assert isinstance(self.row_tiles, int) and isinstance(self.column_tiles, int)
        assert isinstance(self.batches, int) and isinstance(wide, int)
        blocks, tall = ceil_div(self.column_tiles, wide), ceil_div(self.row_tiles, pieces)
        copy, columns = COPY_ROWS * self.speed, self.column_tiles - 1 + self.last
        tasks = self.batches * pieces * blocks
        if tasks > MOST_PLANNED * self.cores:
            return ceil_div(tasks, self.cores) / tasks * self.batches * columns * (self.row_tiles * self.height + copy * pieces)
        heights = [copy + self.height * max(0, min(tall, self.row_tiles - p * tall)) for p in range(pieces)]
        widths = [min(wide, columns - b * wide) for b in range(blocks)]
        loads = [0.0] * self.cores
        for length in sorted((h * w for h in heights for w in widths for _ in range(self.batches)), reverse=True):
            heapreplace(loads, loads[0] + length)
        return max(loads)


def tiles_of_fewest_columns(width: int) -> int:
    """Tiles of so many columns that a task has at the least, where rows are read as they lie."""
    return max(1, FEWEST_COLUMNS // width)


def _pieces(wanted: Extent, blocks: Extent, most: Extent) -> Extent:
    """In how many pieces the rows go, so that there are tasks enough, a task for each and for each block of columns."""
    return greatest(1, least(ceil_div(wanted, blocks), most))


def _where_less(a: Extent, b: Extent, then: Extent, other: Extent) -> Extent:
    if isinstance(a, int) and isinstance(b, int):
        return then if a < b else other
    return tirx.Select(tirx.LT(index(a), index(b)), index(then), index(other))
