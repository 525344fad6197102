"""Products whose second operand is copied into panels first: what the register tiles of a large product read.

    panels[tile of columns][step of k][columns of a tile]     of b, for a block of k and the columns of a task
    slivers[tile of rows][step of k][rows of a tile]          of a, where it lies otherwise: some at a time
    sums[tile of rows][tile of columns][element]              up to a block of k, where there are several

A tile reads its panel from front to back, so that it meets no other page and no other set of the cache than its own. k goes
in blocks: the panels of one stay in the second-level cache while the tiles of rows pass by. Tasks, blocks of tiles, are spread
over the cores; each writes the panels, slivers and sums that it reads, on the stack of its thread.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace

from tvm import tirx

from uol.backends.cpu.dots.instructions import WORDS_AT_ONCE
from uol.backends.cpu.dots.word_copies import WordPanelCopy, WordSliverCopy, panel_elements, word_count
from uol.backends.cpu.dots.word_tiles import DotTile, RegisterTiles, tile_registers
from uol.backends.cpu.expressions.builder import Extent, index
from uol.backends.cpu.expressions.dtypes import Term, representation
from uol.backends.cpu.expressions.extents import ceil_div, greatest, least
from uol.backends.cpu.expressions.fast_functions import FAST
from uol.backends.cpu.expressions.spec_expressions import Scope, conjunction
from uol.backends.cpu.frame import Frame, open_frame
from uol.backends.cpu.operands.buffer_span import static_span
from uol.backends.cpu.operands.factors import the_read
from uol.backends.cpu.operands.panels import fewest_rows, lies_along_k, slivers_together
from uol.backends.cpu.schedules.cost import size
from uol.backends.cpu.schedules.depth import Depth
from uol.backends.cpu.schedules.dot_products import DOT_COLUMNS, DOT_ROWS, write_dots
from uol.backends.cpu.schedules.kinds import Dots, Panels, Tiles
from uol.backends.cpu.schedules.nest import enter_nest, product, unflatten
from uol.backends.cpu.schedules.panel_copies import PanelCopy, SliverCopy
from uol.backends.cpu.schedules.panel_tiles import PanelTile
from uol.backends.cpu.schedules.register_tiles import FEW_ROWS, write_tiles
from uol.backends.cpu.schedules.tasks import FEWEST_TILES, Product, tiles_of_fewest_columns
from uol.backends.cpu.schedules.tile_axes import Side
from uol.codegen.indexing.affine import coefficient
from uol.codegen.indexing.arithmetic import static
from uol.codegen.specs.nodes import Contract
from uol.ir.program.nodes import Axis, Const, Var

ZERO = index(0)
COPIES_PAY, CORES_PAY = 1 << 21, 1 << 17
"""Multiply-adds of a call of any size from which copies pay, and more than one core."""
FEW_VECTORS, MOST_FEW_ROWS = 2, 12
"""Of a tile without copies: what is left over lacks less of it."""
ROWS, COLUMNS = "row_block", "column_block"


def product_of_panels(spec: Contract, schedule: Panels) -> Term:
    """The kernel as a PrimFunc."""
    frame = open_frame(spec, FAST)
    if (enough := _is_large(frame, spec, schedule)) is None:
        _Product(frame, spec, schedule).write()
        return frame.close()
    with frame.code.when(enough):
        _Product(frame, spec, schedule).write()
    with frame.code.when(tirx.Not(enough)):
        _write_small(frame, spec, schedule)
    return frame.close()


def _write_small(frame: Frame, spec: Contract, schedule: Panels) -> None:
    """The same without copies, by one core where there is little to do."""
    if not schedule.parallel:
        _write_uncopied(frame, spec, schedule)
        return
    is_worthwhile = frame.code.hold("is_worthwhile", _has_products(frame, spec, CORES_PAY))
    for parallel, condition in ((True, is_worthwhile), (False, tirx.Not(is_worthwhile))):
        with frame.code.when(condition):
            _write_uncopied(frame, spec, replace(schedule, parallel=parallel))


def _has_products(frame: Frame, spec: Contract, least_of_all: int) -> Term:
    return tirx.GE(index(product([frame.extent(a.extent) for a in spec.axes])), index(least_of_all))


def _is_large(frame: Frame, spec: Contract, schedule: Panels) -> Term | None:
    """Are the rows of a call enough for the copies to pay, and is there a whole tile? None where that is known."""
    width, conditions = schedule.vectors * schedule.lanes, []
    for axes, least_of_all, tile in ((spec.m, fewest_rows(spec), schedule.rows), (spec.n, 0, width)):
        if axes and static(axes[-1].extent) is None:
            conditions.append(tirx.GE(index(frame.extent(axes[-1].extent)), index(tile)))
        if size(axes) is None and least_of_all:
            conditions.append(tirx.GE(index(product([frame.extent(a.extent) for a in axes])), index(least_of_all)))
    if conditions and size(spec.axes) is None:
        conditions.append(_has_products(frame, spec, COPIES_PAY))
    return frame.code.hold("is_large", conjunction(conditions)) if conditions else None


def _write_uncopied(frame: Frame, spec: Contract, schedule: Panels) -> None:
    """The same without copies: dot products of what lies along k, tiles of all else."""
    lanes, read = schedule.lanes, the_read(spec.b)
    if lies_along_k(spec):
        write_dots(frame, spec, Dots(DOT_ROWS, DOT_COLUMNS, lanes, schedule.parallel))
        return
    ahead = coefficient(read.offset, spec.n[-1].name) == 1 and not read.guard
    vectors = min(schedule.vectors, FEW_VECTORS)
    rows = min(schedule.rows * schedule.vectors // vectors, MOST_FEW_ROWS)
    write_tiles(frame, spec, Tiles(rows, vectors, lanes, 1, schedule.parallel, ahead))


@dataclass(frozen=True, slots=True)
class _Blocks:
    """The tiles of a side, over its outer axes, too: names and extents of their indices, and how many of them a task has."""

    frame: Frame
    side: Side
    extents: tuple[tuple[str, Extent], ...]
    size: Extent

    @staticmethod
    def of(frame: Frame, side: Side) -> _Blocks:
        """All tiles in one task."""
        extents = tuple((a.name, frame.size(a.name, frame.extent(a.extent))) for a in (*side.outer, side.tiles))
        return _Blocks(frame, side, extents, frame.size("tiles", product([extent for _, extent in extents])))

    def of_a_task(self, size: Extent) -> _Blocks:
        """So many tiles in a task, or all where there are fewer."""
        return replace(self, size=self.frame.size("size", least(size, self.count)))

    @property
    def count(self) -> Extent:
        return product([extent for _, extent in self.extents])

    @property
    def blocks(self) -> Extent:
        """How many blocks there are."""
        return self.frame.size("blocks", ceil_div(self.count, self.size))

    @contextmanager
    def tiles(self, block: Term, scope: Scope, name: str, group: _Group | None = None) -> Iterator[tuple[Term, Scope]]:
        """A loop over the tiles of a block, or of a group of it: the place in that, and where the tile stands for its
        indices."""
        code, count, size = self.frame.code, self.count, self.size
        length, start = (size, ZERO) if group is None else (group.size, group.start)
        with ExitStack() as loops:
            place = loops.enter_context(code.loop(f"{name}_in_{'block' if group is None else 'group'}", length))
            number = code.bind(name, block * index(size) + (start + place))
            if group is not None and (not isinstance(size, int) or size % group.size):
                loops.enter_context(code.when(start + place < index(size)))
            if not isinstance(count, int) or not isinstance(size, int) or count % size:
                loops.enter_context(code.when(number < index(count)))
            yield place, scope.with_values(unflatten(self.frame, number, list(self.extents)))


@dataclass(frozen=True, slots=True)
class _Group:
    """Some tiles of a block: the place of the first, and how many."""

    start: Term
    size: int


@dataclass(frozen=True, slots=True)
class _Product:
    """The tiles, task by task."""

    frame: Frame
    spec: Contract
    schedule: Panels

    def write(self) -> None:
        schedule, code, depth = self.schedule, self.frame.code, self._depth()
        rows, columns = self._blocks()
        with ExitStack() as loops:
            scope = self._enter_tasks(loops, rows, columns)
            loops.enter_context(tile_registers(code, schedule))
            length = panel_elements(self.spec, schedule, depth)
            wide = columns.size if isinstance(columns.size, int) else schedule.column_tiles
            panels = code.local("panels", (1 if schedule.near else wide) * length, self._copied_type)
            sums = self._sums(depth, product([rows.size, columns.size]))
            block = loops.enter_context(code.loop("k_block", depth.count))
            copy = WordPanelCopy if schedule.unit else PanelCopy
            whole = copy(self.frame, self.spec, schedule, depth, block, panels, ZERO)
            if schedule.near:
                place, there = loops.enter_context(columns.tiles(scope.values[COLUMNS], scope, "column_tile"))
                whole.write(columns.side, there)
                for row, row_places, here, sliver in self._row_tiles(loops, rows, there, None):
                    self._write_tiles(columns, (row_places, sliver), here, whole, sums, row * index(columns.size) + place)
                return
            with columns.tiles(scope.values[COLUMNS], scope, "panel") as (place, here):
                replace(whole, start=place * index(length)).write(columns.side, here)
            for row, row_places, here, sliver in self._row_tiles(loops, rows, scope, self._sliver(depth, block)):
                with columns.tiles(scope.values[COLUMNS], here, "column_tile") as (place, there):
                    slot = row * index(columns.size) + place
                    panel = replace(whole, start=code.bind("panel_start", place * index(length)))
                    self._write_tiles(columns, (row_places, sliver), there, panel, sums, slot)

    def _row_tiles(
        self, loops: ExitStack, rows: _Blocks, scope: Scope, sliver: SliverCopy | None
    ) -> Iterator[tuple[Term, tuple[Axis, Term, int], Scope, SliverCopy | None]]:
        """The tiles of rows of a block, by their heights: the place of each, its rows, where it stands, and its sliver."""
        row, here, sliver = self._enter_row_tiles(loops, rows, scope, sliver)
        for first, height in rows.side.pieces(self.frame, here):
            if sliver is not None and sliver.tiles == 1:
                sliver.write((rows.side.axis, first, height), here)
            yield row, (rows.side.axis, first, height), here, sliver

    def _write_tiles(
        self,
        columns: _Blocks,
        rows: tuple[tuple[Axis, Term, int], SliverCopy | None],
        scope: Scope,
        panel: PanelCopy,
        sums: Term | None,
        slot: Term,
    ) -> None:
        """The tile of these rows and of a panel, by its widths."""
        places, sliver = rows
        for first, width in columns.side.pieces(self.frame, scope):
            across = columns.side.axis, first, width
            tile = self._tile_kind(self.frame, self.spec, self.schedule, places, across, panel, sliver, sums, slot)
            tile.write(scope)

    def _depth(self) -> Depth:
        """Blocks of k, of whole tile registers where it goes by them."""
        schedule = self.schedule
        together = (WORDS_AT_ONCE["tiles"] * schedule.word,) if schedule.unit == "tiles" else ()
        return Depth.of(self.frame, self.spec.k, schedule.depth, *together, by_lines=not schedule.unit)

    @property
    def _copied_type(self) -> str:
        return "int32" if self.schedule.unit else representation(self.spec.acc_dtype).compute

    @property
    def _tile_kind(self) -> type[PanelTile]:
        return {"dots": DotTile, "tiles": RegisterTiles, "": PanelTile}[self.schedule.unit]

    def _blocks(self) -> tuple[_Blocks, _Blocks]:
        """The tiles of rows and of columns, with so many of them in a task as the schedule says, or as the sizes ask for. Where
        a number is an argument, what is left over has a smaller tile of its own."""
        spec, schedule = self.spec, self.schedule
        few = schedule.lanes * ceil_div(schedule.vectors, 2)
        sides = Side.of(spec.m, schedule.rows, FEW_ROWS), Side.of(spec.n, schedule.vectors * schedule.lanes, few)
        rows, columns = (_Blocks.of(self.frame, side) for side in sides)
        if not schedule.cores:
            return rows.of_a_task(schedule.row_tiles), columns.of_a_task(schedule.column_tiles)
        batches = product([self.frame.extent(a.extent) for a in spec.batch])
        row_tiles, column_tiles, batches = (greatest(1, size) for size in (rows.size, columns.size, batches))
        is_copied = schedule.slivers and not schedule.unit
        whole = Product(row_tiles, column_tiles, batches, schedule.rows, schedule.cores, self.frame, copies_rows=is_copied)
        as_they_lie = not schedule.slivers and not schedule.unit
        fewest = tiles_of_fewest_columns(schedule.vectors * schedule.lanes) if as_they_lie else FEWEST_TILES
        tall, wide = whole.task(schedule.column_tiles, schedule.row_tiles * schedule.column_tiles, fewest)
        return rows.of_a_task(tall), columns.of_a_task(wide)

    def _enter_tasks(self, loops: ExitStack, rows: _Blocks, columns: _Blocks) -> Scope:
        """Loops over batches and blocks of each side, outside those of the larger operand: of that one a core reads a part
        then, and little of what another core has just written. A convolution of a packed picture that is larger than its
        weights took 1.16 times as long otherwise, on two cores that share no cache."""
        spec, frame = self.spec, self.frame
        of_rows, of_columns = (static_span(spec.arg(the_read(factor).tensor)) or 0 for factor in (spec.a, spec.b))
        counts = {ROWS: rows.blocks, COLUMNS: columns.blocks}
        counts = counts if of_rows > of_columns else dict(reversed(counts.items()))
        told = {f"{name}s": index(count) for name, count in counts.items()}
        frame = replace(frame, scope=frame.scope.with_values(told))
        blocks = (Axis(name, Const(n) if isinstance(n, int) else Var(f"{name}s")) for name, n in counts.items())
        nest = (*spec.batch, *blocks)
        return enter_nest(frame, loops, nest, len(nest) if self.schedule.parallel else 0, frame.scope)

    def _enter_row_tiles(
        self, loops: ExitStack, rows: _Blocks, scope: Scope, sliver: SliverCopy | None
    ) -> tuple[Term, Scope, SliverCopy | None]:
        """A loop over the tiles of rows of a block: the place of each, where it stands for its indices, and its sliver. Slivers
        that are copied together are there before the first of their tiles."""
        frame, block = self.frame, scope.values[ROWS]
        if sliver is None or sliver.tiles == 1:
            row, here = loops.enter_context(rows.tiles(block, scope, "row_tile"))
            return row, here, sliver
        number = loops.enter_context(frame.code.loop("group", ceil_div(rows.size, sliver.tiles)))
        group = _Group(frame.code.bind("group_start", number * index(sliver.tiles)), sliver.tiles)
        for point, step, run in sliver.depth.runs(frame, scope, sliver.block, sliver.depth.unroll):
            with rows.tiles(block, point, "sliver", group) as (place, there):
                for first, height in rows.side.pieces(frame, there):
                    sliver.of_tile(place).write_run((rows.side.axis, first, height), there, step, run)
        place, here = loops.enter_context(rows.tiles(block, scope, "row_tile", group))
        return group.start + place, here, sliver.of_tile(place)

    def _sliver(self, depth: Depth, block: Term) -> SliverCopy | None:
        """Room for the rows of a tile, where they are copied; of words some may be, whatever the schedule."""
        frame, spec, schedule = self.frame, self.spec, self.schedule
        if schedule.unit:
            words = word_count(depth, schedule)
            copy = frame.code.local("sliver", words * schedule.rows, self._copied_type)
            return WordSliverCopy(frame, spec, depth, block, copy, words, 1, ZERO, schedule)
        if not schedule.slivers:
            return None
        lies_so = bool(spec.m) and coefficient(the_read(spec.a).offset, spec.m[-1].name) == 1
        tiles = slivers_together(schedule.rows) if lies_so else 1
        copy = frame.code.local("sliver", tiles * depth.most * schedule.rows, self._copied_type)
        return SliverCopy(frame, spec, depth, block, copy, schedule.rows, tiles, ZERO)

    def _sums(self, depth: Depth, tiles: Extent) -> Term | None:
        """Room for what the tiles of a task sum up to a block of k, where there may be more than one."""
        schedule = self.schedule
        if isinstance(depth.count, int) and depth.count == 1:
            return None
        most = tiles if isinstance(tiles, int) else schedule.row_tiles * schedule.column_tiles
        size = schedule.rows * schedule.vectors * schedule.lanes
        return self.frame.code.local("sums", most * size, representation(self.spec.acc_dtype).compute)
