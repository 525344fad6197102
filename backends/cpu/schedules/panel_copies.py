"""The copies that a product over panels makes of its operands, block by block of k: by vectors where they can be read so."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import takewhile

from tvm import tirx

from uol.backends.cpu.expressions.builder import SERIAL, UNROLLED, VECTORIZED, Extent, index
from uol.backends.cpu.expressions.dtypes import Term, representation
from uol.backends.cpu.expressions.extents import remainder
from uol.backends.cpu.expressions.spec_expressions import Scope, evaluate
from uol.backends.cpu.expressions.transposes import put_vector, transposed
from uol.backends.cpu.expressions.vectorising import vectorises
from uol.backends.cpu.frame import Frame
from uol.backends.cpu.operands.factors import the_read
from uol.backends.cpu.operands.panels import WIDEST_STEP, Lines, lines_of
from uol.backends.cpu.operands.strided_reads import every, stretched
from uol.backends.cpu.operands.typical import typical
from uol.backends.cpu.schedules.depth import Depth
from uol.backends.cpu.schedules.kinds import Panels
from uol.backends.cpu.schedules.tile_axes import Side
from uol.codegen.indexing.affine import coefficient
from uol.codegen.indexing.arithmetic import static
from uol.codegen.specs.nodes import Contract, Read
from uol.ir.program.nodes import Axis

ZERO = index(0)
SHORTEST_RUN = 4
"""Steps along k from which a run that is shorter than a vector is transposed, too, rather than copied element by element: those
of a row of a small image."""
MOST_LINES = 4
"""Reads of which a vector of columns is put together, at the most. Of more, it is copied element by element."""


@dataclass(frozen=True, slots=True)
class _ByVectors:
    """The copy of a vector of columns, over (their axis, the first of the tile, where the vector begins, scope); `where` it may
    be made so."""

    copy: Callable[[str, Term, Term, Scope], None]
    where: Term | None = None


def _either(ways: Sequence[_ByVectors], width: int) -> Extent:
    """So many columns in one of these ways, where it may be made; none else."""
    columns: Extent = 0
    for way in ways:
        columns = width if way.where is None else tirx.Select(way.where, index(width), index(columns))
    return columns


@dataclass(frozen=True, slots=True)
class PanelCopy:
    """The copy of b for a tile of columns and a block of k, from `start` on."""

    frame: Frame
    spec: Contract
    schedule: Panels
    depth: Depth
    block: Term
    panels: Term
    start: Term

    def write(self, columns: Side, scope: Scope) -> None:
        """Columns beyond the last are left as they are: no tile reads them."""
        name, lanes = columns.axis.name, self.schedule.lanes
        lies_so = coefficient(the_read(self.spec.b).offset, name) == 1
        ways = () if lies_so else self._by_vectors()
        for first, width in columns.pieces(self.frame, scope):
            for way in ways if width >= lanes else ():
                with self.frame.code.loop("columns", _either((way,), width // lanes)) as group:
                    way.copy(name, first, self.frame.code.bind("begin", group * index(lanes)), scope)
            done = _either(ways, width // lanes * lanes)
            copy = self._by_rows(width, scope) if lies_so else self._by_columns(done, width, scope)
            for point, step, column in copy:
                value = evaluate(self.spec.b, point.with_values({name: first + column}))
                self.frame.code.add(tirx.BufferStore(self.panels, value, [self._place(step, column)]))

    def row(self, line: Term) -> Callable[[Term, Term], Term]:
        """What a tile reads of the row that begins there."""
        return lambda _, column: tirx.BufferLoad(self.panels, [line + column])

    def _by_vectors(self) -> tuple[_ByVectors, ...]:
        """How vectors of columns are copied, of which one is at a call; none where b is read element by element."""
        spec, lanes = self.spec, self.schedule.lanes
        kind, last = representation(spec.acc_dtype), spec.k[-1]
        if not isinstance(spec.b, Read) or spec.b.guard or kind.storage != kind.compute:
            return ()
        along = coefficient(the_read(spec.b).offset, last.name) or 0
        if 1 <= along <= WIDEST_STEP and typical(spec, last.extent) >= SHORTEST_RUN:
            return (_ByVectors(self._transpose),)
        found = lines_of(spec)
        if found is None or (found.reached_by(lanes) or 0) > MOST_LINES:
            return ()
        return tuple(_ByVectors(partial(self._put_together, found, lines), where) for lines, where in self._reached(found))

    def _reached(self, found: Lines) -> Iterator[tuple[int, Term | None]]:
        """How many lines a vector meets, and where it does not meet more, each after the one before it; None where that is
        known."""
        lanes, known = self.schedule.lanes, found.reached_by(self.schedule.lanes)
        if known is not None:
            yield known, None
            return
        assert found.pitch is not None
        length, pitch = (index(self.frame.extent(expr)) for expr in (found.length, found.pitch))
        is_long, is_onward = length >= index(lanes), pitch >= length * index(found.step)
        yield 2, tirx.And(is_long, is_onward)
        are_few = length * index(MOST_LINES - 1) >= index(lanes - 1)
        yield MOST_LINES, tirx.And(tirx.And(tirx.Not(is_long), are_few), is_onward)

    def _place(self, step: Term, column: Term) -> Term:
        return self.start + step * index(self.schedule.vectors * self.schedule.lanes) + column

    def _transpose(self, axis: str, first: Term, begin: Term, scope: Scope) -> None:
        """Of a b that lies along k, each element or every second, in square blocks; the last of a line may have fewer steps."""
        code, read, lanes = self.frame.code, the_read(self.spec.b), self.schedule.lanes
        source = self.frame.scope.buffers[read.tensor]
        apart = coefficient(read.offset, self.spec.k[-1].name) or 1
        overlap = static(self.spec.k[-1].extent) is None
        for point, step, run in self.depth.runs(self.frame, scope, self.block, lanes, *self._shorter_runs(), overlap=overlap):
            if run >= SHORTEST_RUN:
                places = [point.with_values({axis: first + begin + index(column)}) for column in range(lanes)]
                starts = [evaluate(read.offset, place) for place in places]
                for number, column in enumerate(self._transposed(source, starts, apart, run)):
                    put_vector(code, self.panels, self._place(step + index(number), begin), column, lanes)
                continue
            with code.loop("step", run, UNROLLED) as more, code.loop("column", lanes, UNROLLED) as column:
                last = self.spec.k[-1].name
                here = point.with_values({axis: first + begin + column, last: point.values[last] + more})
                value = evaluate(read, here)
                code.add(tirx.BufferStore(self.panels, value, [self._place(step + more, begin + column)]))

    def _transposed(self, source: Term, starts: Sequence[Term], apart: int, run: int) -> Sequence[Term]:
        """The columns of rows of a run of elements, which begin there."""
        code, lanes = self.frame.code, self.schedule.lanes
        if run & (run - 1):
            rows = [code.hold("row", stretched(source, start, apart, run, lanes)) for start in starts]
            return transposed(code, rows)[:run]
        return transposed(code, [code.hold("row", every(source, start, apart, run)) for start in starts], run)

    def _shorter_runs(self) -> tuple[int, ...]:
        """Runs for what whole vectors leave of a line along k: so long, or halves of a vector where it is an argument."""
        lanes, extent = self.schedule.lanes, static(self.spec.k[-1].extent)
        if extent is None:
            return (*takewhile(lambda run: run >= SHORTEST_RUN, (lanes >> halved for halved in range(1, lanes))), 1)
        return (extent % lanes, 1) if extent % lanes >= SHORTEST_RUN else ()

    def _put_together(self, found: Lines, lines: int, axis: str, first: Term, begin: Term, scope: Scope) -> None:
        """Of lines, as those of an image: each is read as if the whole vector lay in it, and gives the lanes that do.
        Those before and after them are read from places between the vector's first and last element."""
        code, lanes = self.frame.code, self.schedule.lanes
        column = code.bind("column", first + begin)
        length = self.frame.extent(found.length)
        within = code.bind("within", remainder(column, length))
        starts = [index(number * length) - within for number in range(1, lines)]
        shifts = [code.bind("shift", tirx.Select(start < index(lanes), start, ZERO)) for start in starts]
        lane = tirx.Ramp(tirx.const(0, "int32"), tirx.const(1, "int32"), lanes)
        inside = [tirx.GE(lane, tirx.Broadcast(start.astype("int32"), lanes)) for start in starts]
        for point, step in self.depth.steps(self.frame, scope, self.block):
            vector = self._line(found, point, axis, column, ZERO)
            for shift, belongs in zip(shifts, inside, strict=True):
                vector = tirx.Select(belongs, self._line(found, point, axis, column, shift), vector)
            put_vector(code, self.panels, self._place(step, begin), vector, lanes)

    def _line(self, found: Lines, point: Scope, axis: str, column: Term, shift: Term) -> Term:
        """A vector whose lane `shift` is read where that column lies, and the others in the same line."""
        read, lanes = the_read(self.spec.b), self.schedule.lanes
        source = self.frame.scope.buffers[read.tensor]
        start = evaluate(read.offset, point.with_values({axis: column + shift})) - shift * index(found.step)
        return every(source, start, found.step, lanes)

    def _by_rows(self, width: int, scope: Scope) -> Iterator[tuple[Scope, Term, Term]]:
        """Step by step of k, vectors of columns: for a b that lies so."""
        for point, step in self.depth.steps(self.frame, scope, self.block):
            kind = VECTORIZED if vectorises(self.spec.b, {self.spec.n[-1].name}, point) else SERIAL
            for begin in range(0, width, self.schedule.lanes):
                with self.frame.code.loop("lane", min(self.schedule.lanes, width - begin), kind) as lane:
                    yield point, step, index(begin) + lane

    def _by_columns(self, begin: Extent, width: int, scope: Scope) -> Iterator[tuple[Scope, Term, Term]]:
        """Column by column: what a quotient of the column gives is the same for all steps."""
        if begin == width:
            return
        with self.frame.code.loop("column", width - begin, start=begin) as column:
            for point, step in self.depth.steps(self.frame, scope, self.block):
                yield point, step, column


@dataclass(frozen=True, slots=True)
class SliverCopy:
    """The copy of a for a tile of rows and a block of k, from `start` on, whose steps are `pitch` elements apart; those of so
    many `tiles` are made together."""

    frame: Frame
    spec: Contract
    depth: Depth
    block: Term
    copy: Term
    pitch: int
    tiles: int
    start: Term

    def of_tile(self, place: Term) -> SliverCopy:
        """The one in that place of those that are made together."""
        return replace(self, start=self.frame.code.bind("sliver_start", place * index(self.depth.most * self.pitch)))

    def write(self, rows: tuple[Axis, Term, int], scope: Scope) -> None:
        """Row by row: where a does not lie along rows."""
        axis, first, height = rows
        with self.frame.code.loop("row", height) as row:
            for point, step in self.depth.steps(self.frame, scope, self.block):
                self._put(point.with_values({axis.name: first + row}), step, row)

    def write_run(self, rows: tuple[Axis, Term, int], point: Scope, before: Term, run: int) -> None:
        """Where a lies along rows: of the steps from a point on, with so many before them, each as a vector."""
        axis, first, height = rows
        last = self.depth.axes[-1].name
        kind = VECTORIZED if vectorises(self.spec.a, {axis.name}, point) else SERIAL
        with self.frame.code.loop("step", run, UNROLLED) as step, self.frame.code.loop("row", height, kind) as row:
            here = point.with_values({last: point.values[last] + step, axis.name: first + row})
            self._put(here, before + step, row)

    def at(self, step: Term) -> Callable[[Term], Term]:
        """What a tile reads at a step, by row."""
        line = self.frame.code.bind("line_of_a", self.start + step * index(self.pitch))
        return lambda row: tirx.BufferLoad(self.copy, [line + row])

    def _put(self, point: Scope, step: Term, row: Term) -> None:
        place = self.start + step * index(self.pitch) + row
        self.frame.code.add(tirx.BufferStore(self.copy, evaluate(self.spec.a, point), [place]))
