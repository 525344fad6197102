"""Register tiles of a contraction: `rows` x `vectors` accumulators that stay in registers along k."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial

from tvm import tirx

from uol.backends.cpu.expressions.builder import SERIAL, UNROLLED, VECTORIZED, index
from uol.backends.cpu.expressions.dtypes import Term, representation
from uol.backends.cpu.expressions.fast_functions import FAST
from uol.backends.cpu.expressions.lane_values import LaneValues
from uol.backends.cpu.expressions.spec_expressions import Scope, conditions, conjunction, evaluate
from uol.backends.cpu.expressions.transposes import put_vector, transposed, vector_at
from uol.backends.cpu.expressions.vectorising import lane_loop, vectorises
from uol.backends.cpu.frame import Frame, open_frame
from uol.backends.cpu.operands.factors import CACHE_LINE_BYTES, accumulator_bytes, epilogue_rows, sliding_axis, the_read
from uol.backends.cpu.operands.pixel_lines import by_pixels, has_flat_taps, line_guards, within_lines
from uol.backends.cpu.schedules.cost import size
from uol.backends.cpu.schedules.depth import Depth
from uol.backends.cpu.schedules.kinds import Panels, Tiles
from uol.backends.cpu.schedules.nest import enter_nest, unflatten
from uol.backends.cpu.schedules.prefetch import prefetch
from uol.backends.cpu.schedules.segments import is_in_runs, lengths_to, terms, tiles_of_runs, with_own_terms
from uol.backends.cpu.schedules.tile_axes import Side
from uol.backends.cpu.statements import run_steps
from uol.codegen.indexing.arithmetic import static
from uol.codegen.specs.nodes import Contract, Let
from uol.codegen.specs.steps import split_lets
from uol.codegen.specs.traverse import reads
from uol.ir.program.nodes import Axis, Const, Expr

ZERO = index(0)
FEW_ROWS = 4
"""Rows of the smaller tiles where the number of rows is an argument: with two vectors a row, as many sums as two units for
multiply-adds of four steps have under way."""


BLOCK_STEPS = 256
"""Steps along k that are summed by themselves in a long sum: its error grows with the steps of a block and with the number of
blocks, not with their product."""


def has_blocks(spec: Contract) -> bool:
    """Is the sum so long that it is one of blocks?"""
    steps = size(spec.k)
    return (spec.segments is None or spec.segments.over == "rows") and steps is not None and steps >= 2 * BLOCK_STEPS


def register_tiles(spec: Contract, schedule: Tiles) -> Term:
    """The kernel as a PrimFunc. `spec` is collapsed."""
    frame = open_frame(spec, FAST)
    write_tiles(frame, spec, schedule)
    return frame.close()


def write_tiles(frame: Frame, spec: Contract, schedule: Tiles) -> None:
    """All tiles."""
    kind = (TapTile if has_flat_taps(spec) else LineTile) if schedule.channels else Tile
    spec = by_pixels(spec) if schedule.channels else spec
    rows, columns = _sides(spec, schedule)
    if is_in_runs(spec):
        lengths = lengths_to(schedule.rows)
        for part, here, row, column in tiles_of_runs(frame, spec, lengths, columns, parallel=schedule.parallel):
            Tile(frame, part, schedule, (rows.axis, *row), (columns.axis, *column)).write(here)
        return
    with ExitStack() as loops:
        scope = _enter_tiles(frame, loops, rows, columns, schedule)
        for row, height in rows.pieces(frame, scope):
            for column, width in columns.pieces(frame, scope):
                kind(frame, spec, schedule, (rows.axis, row, height), (columns.axis, column, width)).write(scope)


def _sides(spec: Contract, schedule: Tiles) -> tuple[Side, Side]:
    """Rows and columns. What is written grows with the product of their lengths, and takes as long to compile. Where there are
    no rows, they are lines of columns: the innermost axis but one."""
    m, n = (spec.m, spec.n) if spec.m else (spec.n[:-1], spec.n[-1:])
    overlaps = size(spec.m + spec.n) is None
    few = (1,) if size(n[-1:]) is None else (FEW_ROWS, 1)
    rows = Side.of(m, schedule.rows, *few, overlaps=overlaps)
    lanes = schedule.lanes
    columns = Side.of(n, schedule.vectors * lanes, lanes, lanes // 4, 1, overlaps=overlaps)
    return rows, columns


def _enter_tiles(frame: Frame, loops: ExitStack, rows: Side, columns: Side, schedule: Tiles) -> Scope:
    """Opens loops over all tiles: blocks of row tiles, column tiles, the row tiles of a block."""
    assert isinstance(frame.spec, Contract)
    count = rows.count
    if count is None:
        sides = ((*rows.outer, rows.tiles), (*columns.outer, columns.tiles))
        first, second = sides if schedule.block == 1 else reversed(sides)
        return _enter_both(frame, loops, (*frame.spec.batch, *first), second, schedule)
    size = min(schedule.block, count)
    blocks, within = Axis("block", Const(-(-count // size))), Axis("row_tile", Const(size))
    scope = _enter_both(frame, loops, (*frame.spec.batch, blocks), (*columns.outer, columns.tiles, within), schedule)
    number = scope.values[blocks.name] * index(size) + scope.values[within.name]
    if count % size:
        loops.enter_context(frame.code.when(number < index(count)))
    named = [(a.name, frame.extent(a.extent)) for a in (*rows.outer, rows.tiles)]
    return scope.with_values(unflatten(frame, number, named))


def _enter_both(frame: Frame, loops: ExitStack, first: tuple[Axis, ...], second: tuple[Axis, ...], schedule: Tiles) -> Scope:
    """All loops as one; those of tasks first where each has to find its own terms before it goes on."""
    spec = frame.spec
    assert isinstance(spec, Contract)
    if spec.segments is None:
        first, second = (*first, *second), ()
    scope = enter_nest(frame, loops, first, len(first) if schedule.parallel else 0, frame.scope)
    return enter_nest(frame, loops, second, 0, with_own_terms(frame, spec, scope))


@dataclass(frozen=True, slots=True)
class Tile:
    """One tile: (axis, first index, length) of its rows and of its columns."""

    frame: Frame
    spec: Contract
    schedule: Tiles | Panels
    rows: tuple[Axis, Term, int]
    columns: tuple[Axis, Term, int]

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of accumulators: those of the tile, or some more where only whole vectors are computed."""
        return self.rows[2], self.columns[2]

    @property
    def row_kind(self) -> Term:
        """How rows are walked: written out, since accumulators are in registers."""
        return UNROLLED

    @property
    def has_blocks(self) -> bool:
        """Is the sum one of blocks?"""
        return has_blocks(self.spec)

    def write(self, scope: Scope) -> None:
        code, spec = self.frame.code, self.spec
        assert isinstance(self.schedule, Tiles)
        compute = representation(spec.acc_dtype).compute
        total = code.local(spec.acc, self.shape[0] * self.shape[1], compute, stays=self.has_blocks)
        self._clear(total, compute)
        if self.schedule.prefetch_results:
            self._prefetch_results(scope)
        if not self.has_blocks:
            with self._terms(scope) as point:
                self._step(total, point)
        else:
            depth = Depth.of(self.frame, spec.k, BLOCK_STEPS)
            part = code.local("part", self.shape[0] * self.shape[1], compute)
            with code.loop("k_block", depth.count) as block:
                self._clear(part, compute)
                with depth.points(self.frame, scope, block) as point:
                    self._step(part, point)
                self._add_part(total, part)
        self._epilogue(scope, total)

    @contextmanager
    def _terms(self, scope: Scope) -> Iterator[Scope]:
        """Loops over k. The steps along an axis that lines slide along are written out one after another: LLVM loads once what
        several lines read."""
        spec, slide = self.spec, sliding_axis(self.spec) if self.shape[0] > 1 else None
        if slide is None:
            with terms(self.frame, spec, scope) as point:
                yield point
            return
        with ExitStack() as loops:
            scope = enter_nest(self.frame, loops, tuple(a for a in spec.k if a is not slide), 0, scope)
            step = loops.enter_context(self.frame.code.loop(slide.name, self.frame.extent(slide.extent), UNROLLED))
            yield scope.with_values({slide.name: step})

    def _step(self, total: Term, point: Scope) -> None:
        """A step along k, whose factors are read where they lie."""
        b = self.spec.b
        assert isinstance(self.schedule, Tiles)
        if self.schedule.prefetch_b:
            self._prefetch_b(point)
        vector = vectorises(b, {self.columns[0].name}, point)
        self._add(total, point, vector, lambda row, column: evaluate(b, self._at(point, row, column)))

    def _add_part(self, total: Term, part: Term) -> None:
        """The sums of a block to those of the blocks before."""
        for row, column in self._accumulators():
            place = [self._place(row, column)]
            both = tirx.Add(tirx.BufferLoad(total, place), tirx.BufferLoad(part, place))
            self.frame.code.add(tirx.BufferStore(total, both, place))

    def _clear(self, total: Term, compute: str) -> None:
        for row, column in self._accumulators():
            self.frame.code.add(tirx.BufferStore(total, tirx.const(0, compute), [self._place(row, column)]))

    def _add(
        self,
        total: Term,
        point: Scope,
        vector: bool,
        b: Callable[[Term, Term], Term],
        a: Callable[[Term], Term] | None = None,
    ) -> None:
        """A step along k; `b` gives the second factor of a row and column, `vector`: as a vector expression; `a` gives the
        first factor of a row where it is not read where it lies."""
        factor = self.spec.a
        for row, column in self._elements(vector and (a is not None or vectorises(factor, {self.columns[0].name}, point))):
            place = self._place(row, column)
            first = evaluate(factor, self._at(point, row, column)) if a is None else a(row)
            product = tirx.Mul(first, b(row, column))
            self.frame.code.add(tirx.BufferStore(total, tirx.Add(tirx.BufferLoad(total, [place]), product), [place]))

    def _place(self, row: Term, column: Term) -> Term:
        """Where an accumulator stands among those of the tile."""
        return row * index(self.shape[1]) + column

    def _prefetch_b(self, point: Scope) -> None:
        """Asks for the cache lines of b that the next tile of columns has at this step of k."""
        width = self.columns[2]
        for read in reads(self.spec.b):  # none where b is the fill of a segment that does not exist
            prefetch(self.frame, read, [self._at(point, ZERO, index(c + width)) for c in self._line_starts()])

    def _prefetch_results(self, scope: Scope) -> None:
        """Asks for the cache lines that the epilogue reads and writes, row by row, while the products are summed."""
        for access in epilogue_rows(self.spec):
            with self.frame.code.loop("row", self.rows[2], UNROLLED) as row:
                prefetch(self.frame, access, [self._at(scope, row, index(c)) for c in self._line_starts()])

    def _line_starts(self) -> list[int]:
        """Columns of the tile of which each lies in another cache line, and the last: it may lie in one more."""
        width = self.columns[2]
        return [*range(0, width, CACHE_LINE_BYTES // accumulator_bytes(self.spec)), width - 1]

    def _epilogue(self, scope: Scope, total: Term) -> None:
        """Lets that are the same for all rows are evaluated once."""
        code, width = self.frame.code, self.columns[2]
        hoisted, rest = split_lets(self.spec.epilogue, {self.spec.acc, self.rows[0].name})
        per_column = LaneValues()
        for let in hoisted:
            assert isinstance(let, Let)
            per_column.declare(code, let, width)
            kind = lane_loop((let,), (self.columns[0].name, *per_column.arrays), scope)
            for lane in self._lanes(kind == VECTORIZED):
                here = self._at(scope, index(0), lane).with_values(per_column.at(lane))
                per_column.put(code, let.name, lane, evaluate(let.value, here))
        varying = (self.columns[0].name, self.spec.acc, *per_column.arrays)
        for row, column in self._elements(lane_loop(rest, varying, scope) == VECTORIZED):
            held = tirx.BufferLoad(total, [self._place(row, column)])
            here = self._at(scope, row, column).with_values({**per_column.at(column), self.spec.acc: held})
            run_steps(code, rest, here)

    def _accumulators(self) -> Iterator[tuple[Term, Term]]:
        """(row, column) of every accumulator, by vectors."""
        yield from self._elements(True)

    def _elements(self, vector: bool) -> Iterator[tuple[Term, Term]]:
        """(row, column) within the tile, all rows and columns unrolled but for the lanes."""
        with self.frame.code.loop("row", self.rows[2], self.row_kind) as row:
            for column in self._lanes(vector):
                yield row, column

    def _lanes(self, vector: bool) -> Iterator[Term]:
        """Columns within the tile: whole vectors, then one shorter vector."""
        code, lanes = self.frame.code, self.schedule.lanes
        whole, rest = divmod(self.columns[2], lanes)
        kind = VECTORIZED if vector else SERIAL
        if whole:
            with code.loop("vector", whole, UNROLLED) as number, code.loop("lane", lanes, kind) as lane:
                yield number * index(lanes) + lane
        if rest:
            with code.loop("lane", rest, kind) as lane:
                yield index(whole * lanes) + lane

    def _at(self, scope: Scope, row: Term, column: Term) -> Scope:
        (m, first_row, _), (n, first_column, _) = self.rows, self.columns
        return scope.with_values({m.name: first_row + row, n.name: first_column + column})


@dataclass(frozen=True, slots=True)
class ChannelTile(Tile):
    """A tile whose columns are whole vectors of channels, and whose results lie along its rows: they are turned for that."""

    def _epilogue(self, scope: Scope, total: Term) -> None:
        """Channel by channel, vectors of rows: square blocks of the tile are turned, the last with some rows twice."""
        code, lanes, (height, width) = self.frame.code, self.schedule.lanes, self.shape
        compute = representation(self.spec.acc_dtype).compute
        pitch = -(-height // lanes) * lanes
        turned = code.local("turned", width * pitch, compute)
        for first in range(0, height, lanes):
            for start in range(0, width, lanes):
                rows = (min(first + row, height - 1) for row in range(lanes))
                block = [vector_at(total, self._place(index(row), index(start)), lanes) for row in rows]
                for lane, column in enumerate(transposed(code, [code.hold("sums", row) for row in block])):
                    put_vector(code, turned, index((start + lane) * pitch + first), column, lanes)
        kind = lane_loop(self.spec.epilogue, (self.rows[0].name, self.spec.acc), scope)
        with code.loop("channel", width) as channel:
            for first in range(0, height, lanes):
                with code.loop("lane", min(lanes, height - first), kind) as lane:
                    pixel = index(first) + lane
                    held = tirx.BufferLoad(turned, [channel * index(pitch) + pixel])
                    here = self._at(scope, pixel, channel).with_values({self.spec.acc: held})
                    run_steps(code, self.spec.epilogue, here)


@dataclass(frozen=True, slots=True)
class LineTile(ChannelTile):
    """A tile whose rows are pixels of a line. An element of a is read where it
    lies, for all channels; a line outside of the image is left out, and the taps along a line are written out."""

    def write(self, scope: Scope) -> None:
        code, compute = self.frame.code, representation(self.spec.acc_dtype).compute
        lines = self.spec.k[:-1]
        taps = static(self.spec.k[-1].extent) or 1
        depth = Depth.of(self.frame, lines, max(1, BLOCK_STEPS // taps) if self.has_blocks else size(lines) or 1)
        total = code.local(self.spec.acc, self.shape[0] * self.shape[1], compute, stays=self.has_blocks)
        self._clear(total, compute)
        if not self.has_blocks:
            self._add_lines(total, depth, index(0), scope)
        else:
            part = code.local("part", self.shape[0] * self.shape[1], compute)
            with code.loop("k_block", depth.count) as block:
                self._clear(part, compute)
                self._add_lines(part, depth, block, scope)
                self._add_part(total, part)
        self._epilogue(scope, total)

    def _add_lines(self, total: Term, depth: Depth, block: Term, scope: Scope) -> None:
        """The lines of a block that there are, tap by tap: what neighbouring taps of a line share, LLVM would hold in registers
        that it does not have."""
        code, tap = self.frame.code, self.spec.k[-1]
        with ExitStack() as loops:
            step = loops.enter_context(code.loop(tap.name, static(tap.extent) or 1, UNROLLED))
            self._add_tap(total, loops.enter_context(self._lines(depth, block, scope.with_values({tap.name: step}))))

    @contextmanager
    def _lines(self, depth: Depth, block: Term, scope: Scope) -> Iterator[Scope]:
        """A loop over the lines of a block that there are."""
        with depth.points(self.frame, scope, block) as point:
            there = [part for guard in line_guards(self.spec) for part in conditions(guard, point)]
            with self.frame.code.when(conjunction(there)) if there else nullcontext():
                yield point

    def _add_tap(self, total: Term, point: Scope) -> None:
        """An element of a line, where the line has it, times a vector for each of its pixels."""
        code, lanes, b = self.frame.code, self.schedule.lanes, the_read(self.spec.b)
        read, starts = within_lines(self.spec), range(0, self.columns[2], lanes)
        source, first = point.buffers[b.tensor], self._at(point, ZERO, ZERO)
        weights = [code.hold("weights", vector_at(source, evaluate(b.offset, first) + index(s), lanes)) for s in starts]
        with code.loop("row", self.rows[2], UNROLLED) as row:
            held = code.hold("pixel", evaluate(read, self._at(point, row, ZERO)))
            for start, vector in zip(starts, weights, strict=True):
                place = self._place(row, index(start))
                product = tirx.Mul(tirx.Broadcast(held, lanes), vector)
                put_vector(code, total, place, tirx.Add(vector_at(total, place, lanes), product), lanes)


@dataclass(frozen=True, slots=True)
class TapTile(LineTile):
    """A tile whose rows are taps of a filter, and whose sum goes along lines of cotangents: one for which there is no line of
    the image is left out."""

    def _add_lines(self, total: Term, depth: Depth, block: Term, scope: Scope) -> None:
        spec, pixel = self.spec, self.spec.k[-1]
        read = within_lines(spec)
        with ExitStack() as loops:
            line = loops.enter_context(self._lines(depth, block, scope))
            step = loops.enter_context(self.frame.code.loop(pixel.name, static(pixel.extent) or 1))
            point = line.with_values({pixel.name: step})
            vector = vectorises(spec.b, {self.columns[0].name}, point)
            channels = partial(self._element, spec.b, point)
            self._add(total, point, vector, channels, lambda row: evaluate(read, self._at(point, row, ZERO)))

    def _element(self, factor: Expr, point: Scope, row: Term, column: Term) -> Term:
        return evaluate(factor, self._at(point, row, column))
