"""Products whose second operand is copied into panels first: what the register tiles of a large product read.

    panels[tile of columns][step of k][columns of a tile]     of b, for a block of k and the columns of a task
    sliver[step of k][rows of a tile]                         of a, for a block of k and a tile of rows, where a lies otherwise
    sums[tile of rows][tile of columns][element]              up to a block of k, where there are several

A tile reads its panel from front to back, so that it meets no other page and no other set of the cache than its own. k goes
in blocks: the panels of one stay in the second-level cache while the tiles of rows pass by. Tasks, blocks of tiles, are spread
over the cores; each writes the panels, slivers and sums that it reads, on the stack of its thread.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, replace

from tvm import tirx

from uol.backends.cpu.expressions.builder import index
from uol.backends.cpu.expressions.dtypes import Term, representation
from uol.backends.cpu.expressions.fast_functions import FAST
from uol.backends.cpu.expressions.spec_expressions import Scope
from uol.backends.cpu.frame import Frame, open_frame
from uol.backends.cpu.schedules.depth import Depth
from uol.backends.cpu.schedules.kinds import Panels
from uol.backends.cpu.schedules.nest import enter_nest, unflatten
from uol.backends.cpu.schedules.panel_copies import PanelCopy, SliverCopy
from uol.backends.cpu.schedules.register_tiles import Tile
from uol.backends.cpu.schedules.tile_axes import Side
from uol.codegen.specs.nodes import Contract
from uol.ir.program.nodes import Axis, Const

ZERO = index(0)


def product_of_panels(spec: Contract, schedule: Panels) -> Term:
    """The kernel as a PrimFunc."""
    frame = open_frame(spec, FAST)
    _Product(frame, spec, schedule).write()
    return frame.close()


def _tile_of(frame: Frame, side: Side, number: Term) -> dict[str, Term]:
    """The outer indices and the tile that a number over all tiles of a side stands for."""
    return unflatten(frame, number, [(a.name, frame.extent(a.extent)) for a in (*side.outer, side.tiles)])


@dataclass(frozen=True, slots=True)
class _Product:
    """The tiles, task by task."""

    frame: Frame
    spec: Contract
    schedule: Panels

    def write(self) -> None:
        frame, spec, schedule = self.frame, self.spec, self.schedule
        code, depth = frame.code, Depth.of(spec.k, schedule.depth)
        rows, columns = Side.of(spec.m, schedule.rows), Side.of(spec.n, schedule.vectors * schedule.lanes)
        row_count, column_count = rows.count or 0, columns.count or 0
        tall, wide = min(schedule.row_tiles, row_count), min(schedule.column_tiles, column_count)
        row_blocks = Axis("row_block", Const(-(-row_count // tall)))
        column_blocks = Axis("column_block", Const(-(-column_count // wide)))
        nest = (*spec.batch, column_blocks, row_blocks)
        with ExitStack() as loops:
            scope = enter_nest(frame, loops, nest, len(nest) if schedule.parallel else 0, frame.scope)
            panel_length = depth.most * schedule.vectors * schedule.lanes
            panels = code.local("panels", wide * panel_length, representation(spec.acc_dtype).compute)
            sums = self._sums(depth, tall * wide)
            block = loops.enter_context(code.loop("k_block", depth.count))
            whole = PanelCopy(frame, spec, schedule, depth, block, panels, ZERO)
            with self._tile(scope.values[column_blocks.name], wide, columns, scope, "panel") as (place, here):
                replace(whole, start=place * index(panel_length)).write(columns, here)
            sliver = self._sliver(depth, block)
            row, here = loops.enter_context(self._tile(scope.values[row_blocks.name], tall, rows, scope, "row_tile"))
            for first_row, height in rows.pieces(frame, here):
                row_places = rows.axis, first_row, height
                if sliver is not None:
                    sliver.write(row_places, here)
                with self._tile(scope.values[column_blocks.name], wide, columns, here, "column_tile") as (place, there):
                    slot = row * index(wide) + place
                    panel = replace(whole, start=code.bind("panel_start", place * index(panel_length)))
                    for first, width in columns.pieces(frame, there):
                        column_places = columns.axis, first, width
                        tile = _PanelTile(frame, spec, schedule, row_places, column_places, panel, sliver, sums, slot)
                        tile.write(there)

    def _sliver(self, depth: Depth, block: Term) -> SliverCopy | None:
        """Room for the rows of a tile, where they are copied."""
        if not self.schedule.slivers:
            return None
        length = depth.most * self.schedule.rows
        copy = self.frame.code.local("sliver", length, representation(self.spec.acc_dtype).compute)
        return SliverCopy(self.frame, self.spec, depth, block, copy, self.schedule.rows)

    def _sums(self, depth: Depth, tiles: int) -> Term | None:
        """Room for what the tiles of a task sum up to a block of k, where there is more than one."""
        if depth.count == 1:
            return None
        size = self.schedule.rows * self.schedule.vectors * self.schedule.lanes
        return self.frame.code.local("sums", tiles * size, representation(self.spec.acc_dtype).compute)

    @contextmanager
    def _tile(self, block: Term, size: int, side: Side, scope: Scope, name: str) -> Iterator[tuple[Term, Scope]]:
        """A loop over the tiles of a block: the place in the block, and where the tile stands for its indices."""
        code, count = self.frame.code, side.count or 0
        with ExitStack() as loops:
            place = loops.enter_context(code.loop(f"{name}_in_block", size))
            number = code.bind(name, block * index(size) + place)
            if count % size:
                loops.enter_context(code.when(number < index(count)))
            yield place, scope.with_values(_tile_of(self.frame, side, number))


@dataclass(frozen=True, slots=True)
class _PanelTile(Tile):
    """A tile for a block of k: what was summed before, what this block adds, and the epilogue after the last."""

    panel: PanelCopy
    sliver: SliverCopy | None
    sums: Term | None
    slot: Term

    def write(self, scope: Scope) -> None:
        code, spec = self.frame.code, self.spec
        compute = representation(spec.acc_dtype).compute
        total = code.local(spec.acc, self.rows[2] * self.columns[2], compute)
        last = index(self.panel.depth.count - 1)
        with self._when(tirx.EQ(self.panel.block, ZERO)):
            self._clear(total, compute)
        if self.sums is not None:
            with code.when(self.panel.block > ZERO):
                self._move(self.sums, total)
        if self.schedule.prefetch_results:
            with self._when(tirx.EQ(self.panel.block, last)):
                self._prefetch_results(scope)
        self._add_block(total, scope)
        if self.sums is not None:
            with code.when(self.panel.block < last):
                self._move(total, self.sums, back=True)
        with self._when(tirx.EQ(self.panel.block, last)):
            self._epilogue(scope, total)

    def _when(self, condition: Term) -> AbstractContextManager[None]:
        """Under a condition on the block of k; of one block it always holds."""
        return self.frame.code.when(condition) if self.panel.depth.count > 1 else nullcontext()

    def _move(self, source: Term, target: Term, *, back: bool = False) -> None:
        """The sums of the tile from its slot, or back to it."""
        size = self.schedule.rows * self.schedule.vectors * self.schedule.lanes
        start = self.frame.code.bind("slot", self.slot * index(size))
        for row, column in self._elements(True):
            here, slot = self._place(row, column), start + self._place(row, column)
            read, write = (here, slot) if back else (slot, here)
            self.frame.code.add(tirx.BufferStore(target, tirx.BufferLoad(source, [read]), [write]))

    def _add_block(self, total: Term, scope: Scope) -> None:
        code, panel, pitch = self.frame.code, self.panel, self.schedule.vectors * self.schedule.lanes
        for point, step in panel.depth.steps(self.frame, scope, panel.block):
            line = code.bind("line", panel.start + step * index(pitch))
            a = None if self.sliver is None else self.sliver.at(step)
            self._add(total, point, True, panel.row(line), a)
