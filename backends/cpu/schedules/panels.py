"""Products whose second operand is copied into panels first: what the register tiles of a large product read.

    panels[tile of columns][step of k][columns of a tile]     of b, for a block of k and the columns of a task
    sliver[step of k][rows of a tile]                         of a, for a block of k and a tile of rows, where a lies otherwise

A tile reads its panel from front to back, so that it meets no other page and no other set of the cache than its own. k goes
in blocks: the panels of one stay in the second-level cache while the tiles of rows pass by, and what was summed up to it waits
in a workspace. Tasks, blocks of tiles, are spread over the cores; each writes the panels and slivers that it reads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, replace
from math import prod

from tvm import tirx

from uol.backends.cpu.expressions.builder import SERIAL, UNROLLED, VECTORIZED, Extent, index
from uol.backends.cpu.expressions.dtypes import Term, representation
from uol.backends.cpu.expressions.fast_functions import FAST
from uol.backends.cpu.expressions.spec_expressions import Scope, evaluate
from uol.backends.cpu.expressions.transposes import put_vector, transposed, vector_at
from uol.backends.cpu.expressions.vectorising import vectorises
from uol.backends.cpu.frame import Frame, open_frame
from uol.backends.cpu.operands.factors import the_read
from uol.backends.cpu.operands.panels import sums_name
from uol.backends.cpu.schedules.kinds import Panels
from uol.backends.cpu.schedules.nest import enter_nest, flatten, unflatten
from uol.backends.cpu.schedules.register_tiles import Tile
from uol.backends.cpu.schedules.tile_axes import Side
from uol.codegen.indexing.affine import coefficient
from uol.codegen.indexing.arithmetic import static
from uol.codegen.specs.nodes import Contract, Read
from uol.ir.program.nodes import Axis, Const

ZERO = index(0)
UNROLL = 4
"""Steps along k that are written out."""


def product_of_panels(spec: Contract, schedule: Panels) -> Term:
    """The kernel as a PrimFunc."""
    frame = open_frame(spec, FAST)
    _Product(frame, spec, schedule).write()
    return frame.close()


def _extents(axes: tuple[Axis, ...]) -> list[int]:
    return [static(a.extent) or 0 for a in axes]


def _vectors(width: int, lanes: int) -> list[tuple[int, int]]:
    """(first, length) of the vectors of a row."""
    return [(first, min(lanes, width - first)) for first in range(0, width, lanes)]


def _tile_of(frame: Frame, side: Side, number: Term) -> dict[str, Term]:
    """The outer indices and the tile that a number over all tiles of a side stands for."""
    return unflatten(frame, number, [(a.name, frame.extent(a.extent)) for a in (*side.outer, side.tiles)])


@dataclass(frozen=True, slots=True)
class _Depth:
    """k in blocks: whole outer axes, then one axis in stretches of `chunk`, then inner axes as they are."""

    axes: tuple[Axis, ...]
    split: int
    chunk: int

    @staticmethod
    def of(axes: tuple[Axis, ...], depth: int) -> _Depth:
        extents = _extents(axes)
        split = next(i for i in range(len(axes)) if prod(extents[i + 1 :]) <= depth)
        chunk = max(1, depth // prod(extents[split + 1 :]))
        pieces = -(-extents[split] // chunk)
        even = -(-extents[split] // pieces)
        return _Depth(axes, split, min(extents[split], -(-even // UNROLL) * UNROLL) if split == len(axes) - 1 else even)

    @property
    def pieces(self) -> int:
        return -(-_extents(self.axes)[self.split] // self.chunk)

    @property
    def count(self) -> int:
        return prod(_extents(self.axes[: self.split])) * self.pieces

    @property
    def most(self) -> int:
        """Steps of a block, at the most."""
        return self.chunk * prod(_extents(self.axes[self.split + 1 :]))

    def steps(self, frame: Frame, scope: Scope, block: Term) -> Iterator[tuple[Scope, Term]]:
        """The points of a block, and how many are before each. What is written for one is run for all."""
        for point, before, run in self.runs(frame, scope, block, UNROLL):
            with frame.code.loop("step", run, UNROLLED) as step:
                here = point.with_values({self.axes[-1].name: point.values[self.axes[-1].name] + step})
                yield here, before + step

    def runs(self, frame: Frame, scope: Scope, block: Term, length: int) -> Iterator[tuple[Scope, Term, int]]:
        """The points of a block by runs along the last axis: where each begins, how many are before it, and how long it is:
        `length` steps, then one by one what is left."""
        code = frame.code
        outer, axis, inner = self.axes[: self.split], self.axes[self.split], self.axes[self.split + 1 :]
        extent = _extents((axis,))[0]
        named = [(a.name, e) for a, e in zip(outer, _extents(outer), strict=True)]
        places = unflatten(frame, block, [*named, ("piece", self.pieces)])
        start = code.bind("start", places.pop("piece") * index(self.chunk))
        scope = scope.with_values(places)
        steps: Extent = self.chunk
        if extent % self.chunk:
            steps = code.bind("length", tirx.Min(index(self.chunk), index(extent) - start))
        if not inner:
            for point, run in _runs(frame, scope, axis.name, start, steps, length):
                yield point, point.values[axis.name] - start, run
            return
        with ExitStack() as loops:
            step = loops.enter_context(code.loop(axis.name, steps, start=start))
            scope = enter_nest(frame, loops, inner[:-1], 0, scope.with_values({axis.name: step}))
            for point, run in _runs(frame, scope, inner[-1].name, ZERO, _extents(inner)[-1], length):
                yield point, (step - start) * index(prod(_extents(inner))) + flatten(point, inner), run


def _runs(frame: Frame, scope: Scope, name: str, start: Term, steps: Extent, length: int) -> Iterator[tuple[Scope, int]]:
    """Runs of `length` steps from `start` on, then what is left; of fewer steps, one run."""
    code = frame.code
    if isinstance(steps, int) and steps < length:
        yield scope.with_values({name: start}), steps
        return
    whole = steps // length if isinstance(steps, int) else code.bind("whole", tirx.FloorDiv(steps, index(length)))
    with code.loop(f"{name}_run", whole) as run:
        yield scope.with_values({name: start + run * index(length)}), length
    if isinstance(steps, int) and steps % length == 0:
        return
    done = code.bind("done", start + index(whole) * index(length))
    with code.loop(f"{name}_rest", start + index(steps) - done) as step:
        yield scope.with_values({name: done + step}), 1


@dataclass(frozen=True, slots=True)
class _Product:
    """The tiles, task by task."""

    frame: Frame
    spec: Contract
    schedule: Panels

    def write(self) -> None:
        frame, spec, schedule = self.frame, self.spec, self.schedule
        code, depth = frame.code, _Depth.of(spec.k, schedule.depth)
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
            block = loops.enter_context(code.loop("k_block", depth.count))
            whole = _Panel(frame, spec, schedule, depth, block, panels, ZERO)
            with self._tile(scope.values[column_blocks.name], wide, columns, scope, "panel") as (place, _, here):
                replace(whole, start=place * index(panel_length)).write(columns, here)
            sliver = self._sliver(depth, block)
            _, row, here = loops.enter_context(self._tile(scope.values[row_blocks.name], tall, rows, scope, "row_tile"))
            for first_row, height in rows.pieces(frame, here):
                row_places = rows.axis, first_row, height
                if sliver is not None:
                    sliver.write(row_places, here)
                with self._tile(scope.values[column_blocks.name], wide, columns, here, "column_tile") as (place, column, there):
                    slot = (flatten(scope, spec.batch) * index(row_count) + row) * index(column_count) + column
                    panel = replace(whole, start=code.bind("panel_start", place * index(panel_length)))
                    for first, width in columns.pieces(frame, there):
                        tile = _PanelTile(frame, spec, schedule, row_places, (columns.axis, first, width), panel, slot, sliver)
                        tile.write(there)

    def _sliver(self, depth: _Depth, block: Term) -> _Sliver | None:
        """Room for the rows of a tile, where they are copied."""
        if not self.schedule.slivers:
            return None
        length = depth.most * self.schedule.rows
        copy = self.frame.code.local("sliver", length, representation(self.spec.acc_dtype).compute)
        return _Sliver(self.frame, self.spec, depth, block, copy, self.schedule.rows)

    @contextmanager
    def _tile(self, block: Term, size: int, side: Side, scope: Scope, name: str) -> Iterator[tuple[Term, Term, Scope]]:
        """A loop over the tiles of a block: the place in the block, the number within all, and where the tile stands for its
        indices."""
        code, count = self.frame.code, side.count or 0
        with ExitStack() as loops:
            place = loops.enter_context(code.loop(f"{name}_in_block", size))
            number = code.bind(name, block * index(size) + place)
            if count % size:
                loops.enter_context(code.when(number < index(count)))
            yield place, number, scope.with_values(_tile_of(self.frame, side, number))


@dataclass(frozen=True, slots=True)
class _Panel:
    """The copy of b for a tile of columns and a block of k, from `start` on."""

    frame: Frame
    spec: Contract
    schedule: Panels
    depth: _Depth
    block: Term
    panels: Term
    start: Term

    def write(self, columns: Side, scope: Scope) -> None:
        """Columns beyond the last are left as they are: no tile reads them."""
        code, spec = self.frame.code, self.spec
        lies_so = coefficient(the_read(spec.b).offset, columns.axis.name) == 1
        for first, width in columns.pieces(self.frame, scope):
            done = 0 if lies_so or not self._lies_along_k() else width - width % self.schedule.lanes
            if done:
                with code.loop("columns", done // self.schedule.lanes) as group:
                    begin = code.bind("begin", group * index(self.schedule.lanes))
                    self._transpose(columns.axis.name, first, begin, scope)
            copy = self._by_rows(width, scope) if lies_so else self._by_columns(done, width, scope)
            for point, step, column in copy if done < width else ():
                value = evaluate(spec.b, point.with_values({columns.axis.name: first + column}))
                code.add(tirx.BufferStore(self.panels, value, [self._place(step, column)]))

    def _place(self, step: Term, column: Term) -> Term:
        return self.start + step * index(self.schedule.vectors * self.schedule.lanes) + column

    def _lies_along_k(self) -> bool:
        """Is b read as it is stored, contiguously along the last axis of k for a vector's length at least?"""
        spec, lanes = self.spec, self.schedule.lanes
        last, kind = spec.k[-1], representation(spec.acc_dtype)
        is_bare = isinstance(spec.b, Read) and not spec.b.guard and kind.storage == kind.compute
        return is_bare and coefficient(the_read(spec.b).offset, last.name) == 1 and (static(last.extent) or 0) >= lanes

    def _transpose(self, axis: str, first: Term, begin: Term, scope: Scope) -> None:
        """A vector of columns, from `begin` on, in square blocks."""
        code, read, lanes = self.frame.code, the_read(self.spec.b), self.schedule.lanes
        source = self.frame.scope.buffers[read.tensor]
        for point, step, run in self.depth.runs(self.frame, scope, self.block, lanes):
            if run == lanes:
                places = [point.with_values({axis: first + begin + index(column)}) for column in range(lanes)]
                rows = [code.bind("row", vector_at(source, evaluate(read.offset, place), lanes)) for place in places]
                for number, column in enumerate(transposed(code, rows)):
                    put_vector(code, self.panels, self._place(step + index(number), begin), column, lanes)
                continue
            with code.loop("step", run, UNROLLED) as more, code.loop("column", lanes, UNROLLED) as column:
                last = self.spec.k[-1].name
                here = point.with_values({axis: first + begin + column, last: point.values[last] + more})
                value = evaluate(read, here)
                code.add(tirx.BufferStore(self.panels, value, [self._place(step + more, begin + column)]))

    def row(self, line: Term) -> Callable[[Term, Term], Term]:
        """What a tile reads of the row that begins there."""
        return lambda _, column: tirx.BufferLoad(self.panels, [line + column])

    def _by_rows(self, width: int, scope: Scope) -> Iterator[tuple[Scope, Term, Term]]:
        """Step by step of k, vectors of columns: for a b that lies so."""
        for point, step in self.depth.steps(self.frame, scope, self.block):
            kind = VECTORIZED if vectorises(self.spec.b, {self.spec.n[-1].name}, point) else SERIAL
            for begin, lanes in _vectors(width, self.schedule.lanes):
                with self.frame.code.loop("lane", lanes, kind) as lane:
                    yield point, step, index(begin) + lane

    def _by_columns(self, begin: int, width: int, scope: Scope) -> Iterator[tuple[Scope, Term, Term]]:
        """Column by column: what a quotient of the column gives is the same for all steps."""
        with self.frame.code.loop("column", width - begin, start=begin) as column:
            for point, step in self.depth.steps(self.frame, scope, self.block):
                yield point, step, column


@dataclass(frozen=True, slots=True)
class _Sliver:
    """The copy of a for a tile of rows and a block of k, whose steps are `pitch` elements apart."""

    frame: Frame
    spec: Contract
    depth: _Depth
    block: Term
    copy: Term
    pitch: int

    def write(self, rows: tuple[Axis, Term, int], scope: Scope) -> None:
        axis, first, height = rows
        for point, step, row in self._elements(axis, height, scope):
            value = evaluate(self.spec.a, point.with_values({axis.name: first + row}))
            self.frame.code.add(tirx.BufferStore(self.copy, value, [step * index(self.pitch) + row]))

    def at(self, step: Term) -> Callable[[Term], Term]:
        """What a tile reads at a step, by row."""
        line = self.frame.code.bind("line_of_a", step * index(self.pitch))
        return lambda row: tirx.BufferLoad(self.copy, [line + row])

    def _elements(self, axis: Axis, height: int, scope: Scope) -> Iterator[tuple[Scope, Term, Term]]:
        """In the order in which a lies: rows as a vector, or row by row."""
        code = self.frame.code
        if coefficient(the_read(self.spec.a).offset, axis.name) == 1:
            for point, step in self.depth.steps(self.frame, scope, self.block):
                kind = VECTORIZED if vectorises(self.spec.a, {axis.name}, point) else SERIAL
                with code.loop("row", height, kind) as row:
                    yield point, step, row
            return
        with code.loop("row", height) as row:
            for point, step in self.depth.steps(self.frame, scope, self.block):
                yield point, step, row


@dataclass(frozen=True, slots=True)
class _PanelTile(Tile):
    """A tile for a block of k: what was summed before, what this block adds, and the epilogue after the last."""

    panel: _Panel
    slot: Term
    sliver: _Sliver | None

    def write(self, scope: Scope) -> None:
        code, spec = self.frame.code, self.spec
        compute = representation(spec.acc_dtype).compute
        total = code.local(spec.acc, self.rows[2] * self.columns[2], compute)
        last = index(self.panel.depth.count - 1)
        with self._when(tirx.EQ(self.panel.block, ZERO)):
            self._clear(total, compute)
        if self.panel.depth.count > 1:
            with code.when(self.panel.block > ZERO):
                self._move(self._sums(), total)
        if self.schedule.prefetch_results:
            with self._when(tirx.EQ(self.panel.block, last)):
                self._prefetch_results(scope)
        self._add_block(total, scope)
        if self.panel.depth.count > 1:
            with code.when(self.panel.block < last):
                self._move(total, self._sums(), back=True)
        with self._when(tirx.EQ(self.panel.block, last)):
            self._epilogue(scope, total)

    def _when(self, condition: Term) -> AbstractContextManager[None]:
        """Under a condition on the block of k; of one block it always holds."""
        return self.frame.code.when(condition) if self.panel.depth.count > 1 else nullcontext()

    def _sums(self) -> Term:
        return self.frame.scope.buffers[sums_name(self.spec)]

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
