"""Rows whose cols feed the lanes: partial results in lanes, joined by a halving tree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace

from tvm import tirx

from uol.backends.cpu.expressions.builder import PARALLEL, VECTORIZED, Extent, index
from uol.backends.cpu.expressions.dtypes import Term, representation
from uol.backends.cpu.expressions.extents import quotient
from uol.backends.cpu.expressions.fast_functions import FAST
from uol.backends.cpu.expressions.folds import State
from uol.backends.cpu.expressions.spec_expressions import Scope
from uol.backends.cpu.expressions.vectorising import lane_loop
from uol.backends.cpu.frame import Frame, open_frame
from uol.backends.cpu.operands.factors import CACHE_LINE_BYTES
from uol.backends.cpu.operands.row_reads import rows_read
from uol.backends.cpu.schedules.cost import size
from uol.backends.cpu.schedules.kinds import Reduction
from uol.backends.cpu.schedules.nest import enter_nest, product, unflatten
from uol.backends.cpu.schedules.prefetch import prefetch
from uol.backends.cpu.statements import add_to_column, linear_index, run_steps, take
from uol.codegen.specs.nodes import Fold, Let, Read, Reduce, Step
from uol.codegen.specs.steps import passes_of
from uol.ir.program.nodes import Axis, Const
from uol.ir.types import DTYPES

ZERO = index(0)
ROW_BUFFER_BYTES = 256 * 1024
"""What a row may keep on a thread's stack between its passes, where its length is an argument."""
ASKS = 0
"""The pass in which the next row is asked for. What the first reads was asked for a row before, and memory has the most time
for the next one then: of a layer norm's gradient, by the second pass, rows took 1.15 times as long on a Zen 5."""
SHORTER, SHORTENED = 4, 2
"""What is left over of a number that is an argument goes in vectors that are so many times shorter, and so often in shorter
ones again."""


def along_cols(spec: Reduce, schedule: Reduction) -> Term:
    """The kernel as a PrimFunc. `spec` is collapsed."""
    frame = open_frame(spec, FAST)
    if size(spec.cols) is not None or not schedule.keep:
        _write_rows(frame, spec, schedule)
        return frame.close()
    fits = frame.code.hold("fits", index(_length(frame, spec)) <= index(_room(spec, schedule)))
    with frame.code.when(fits):
        _write_rows(frame, spec, schedule)
    with frame.code.when(tirx.Not(fits)):
        _write_rows(frame, spec, replace(schedule, keep=()))
    return frame.close()


def _write_rows(frame: Frame, spec: Reduce, schedule: Reduction) -> None:
    """All rows."""
    with ExitStack() as loops:
        scope = enter_nest(frame, loops, spec.rows, schedule.parallel, frame.scope)
        Row(frame, spec, schedule).run(scope)


def _length(frame: Frame, spec: Reduce) -> Extent:
    """How many elements a row has."""
    return product([frame.extent(c.extent) for c in spec.cols])


def _room(spec: Reduce, schedule: Reduction) -> int:
    """How many there may be where their number is an argument, so that what is kept of them fits the stack."""
    kept = [s.dtype for s in spec.steps if isinstance(s, Let) and s.name in schedule.keep]
    return ROW_BUFFER_BYTES // sum(8 if "64" in representation(dtype).compute else 4 for dtype in kept)


@dataclass(frozen=True, slots=True)
class Row:
    """The work for one row."""

    frame: Frame
    spec: Reduce
    schedule: Reduction

    @property
    def inner(self) -> Axis:
        """The col that feeds the lanes; a row without cols has one element."""
        return self.spec.cols[-1] if self.spec.cols else Axis("only", Const(1))

    @property
    def outer(self) -> tuple[Axis, ...]:
        return self.spec.cols[:-1]

    def run(self, scope: Scope) -> Scope:
        """Writes it; the scope with the row's lets and folds."""
        code = self.frame.code
        kept = {s.name: self._row_buffer(s) for s in self.spec.steps if isinstance(s, Let) and s.name in self.schedule.keep}
        filled: set[str] = set()
        passes = passes_of(self.spec)
        scope = run_steps(code, passes.before, scope)
        for number, run in enumerate(passes.passes):
            places, positions = self.schedule.lanes * self.schedule.col_tasks, size(self.spec.cols) or 0
            states = {f.name: State.declare(code, f, places, positions=positions) for f in run.folds}
            if self.schedule.col_tasks == 1:
                self._clear(states)
            lane_kind = lane_loop(run.steps, (self.inner.name,), scope)
            body = _Element(self.frame, self.spec, run.steps, states, kept, frozenset(filled), lane_kind)
            if self.schedule.col_tasks > 1:
                self._pass_in_tasks(body, scope)
            else:
                self._pass(body, scope, rows_read(self.spec) if self.schedule.ahead and number == ASKS else ())
            filled |= {s.name for s in run.steps if isinstance(s, Let)} & kept.keys()
            for state in states.values():
                self._join(state)
            scope = scope.with_values({name: code.hold(name, s.result(code.share, ZERO)) for name, s in states.items()})
            scope = run_steps(code, run.row_steps, scope)
        return scope

    def _row_buffer(self, let: Let) -> Term:
        length = _length(self.frame, self.spec)
        if not isinstance(length, int):
            length = _room(self.spec, self.schedule)
        return self.frame.code.local(f"{let.name}_row", max(length, 1), representation(let.dtype).compute)

    def _clear(self, states: Mapping[str, State]) -> None:
        for state in states.values():
            with self.frame.code.loop("lane", self.schedule.lanes, VECTORIZED) as lane:
                state.clear(self.frame.code, lane)

    def _join(self, state: State) -> None:
        """All lanes into the first: task by task, then by halves."""
        code, lanes = self.frame.code, self.schedule.lanes
        if self.schedule.col_tasks > 1:
            with code.loop("task", self.schedule.col_tasks - 1, start=1) as task, code.loop("lane", lanes, VECTORIZED) as lane:
                state.merge(code, lane, task * index(lanes) + lane)
        while lanes > 1:
            lanes //= 2
            with code.loop("lane", lanes, VECTORIZED) as lane:
                state.merge(code, lane, lane + index(lanes))

    def _pass(self, body: _Element, scope: Scope, ahead: Sequence[Read] = ()) -> None:
        """One pass over the cols: vectors of lanes, then one shorter vector. What is read `ahead` is so in the next row."""
        code, lanes = self.frame.code, self.schedule.lanes
        whole, rest = self._cut()
        with ExitStack() as loops:
            scope = enter_nest(self.frame, loops, self.outer, 0, scope)
            start, count = self._vectors(scope, whole)
            vectors = code.loop(f"{self.inner.name}_vector", count, start=start)
            with vectors as vector:
                self._prefetch(ahead, vector, scope)
                with code.loop("lane", lanes, body.lane_kind) as lane:
                    body.write(scope.with_values({self.inner.name: vector * index(lanes) + lane}), lane)
            if self.inner.name in scope.limits:
                loops.enter_context(code.when(scope.limits[self.inner.name][1] > index(whole) * index(lanes)))
            self._rest(body, scope, whole, rest)

    def _prefetch(self, ahead: Sequence[Read], vector: Term, scope: Scope) -> None:
        """Asks for a vector of what the next row reads, line by line."""
        for read in ahead:
            row, start = self.spec.rows[-1].name, vector * index(self.schedule.lanes)
            lines = range(0, self.schedule.lanes, CACHE_LINE_BYTES // DTYPES[read.dtype].bytes)
            next_row = scope.with_values({row: scope.values[row] + index(1)})
            places = [next_row.with_values({self.inner.name: start + index(line)}) for line in lines]
            prefetch(self.frame, read, places)

    def _vectors(self, scope: Scope, whole: Extent) -> tuple[Extent, Extent]:
        """The first of the whole vectors, and how many: limits are multiples of a vector, or the end of the cols."""
        if self.inner.name not in scope.limits:
            return 0, whole
        start, end = (tirx.FloorDiv(limit, index(self.schedule.lanes)) for limit in scope.limits[self.inner.name])
        return start, end - start

    def _pass_in_tasks(self, body: _Element, scope: Scope) -> None:
        """The same with the vectors dealt out to tasks; what is left over is done by the caller. A task has states of its own
        until it is done: in a line that two cores write they would wait for each other."""
        code, lanes = self.frame.code, self.schedule.lanes
        whole, rest = self._cut()
        named = [(a.name, self.frame.extent(a.extent)) for a in self.outer] + [("vector", whole)]
        total = index(product([e for _, e in named]))
        tasks = index(self.schedule.col_tasks)
        with code.loop("task", self.schedule.col_tasks, PARALLEL) as task:
            first = code.bind("first", tirx.FloorDiv(task * total, tasks))
            count = code.bind("count", tirx.FloorDiv((task + index(1)) * total, tasks) - first)
            positions = size(self.spec.cols) or 0
            own = {name: State.declare(code, s.fold, lanes, positions=positions) for name, s in body.states.items()}
            self._clear(own)
            with code.loop("step", count, start=first) as step:
                here = unflatten(self.frame, step, named)
                with code.loop("lane", lanes, body.lane_kind) as lane:
                    inner = here["vector"] * index(lanes) + lane
                    replace(body, states=own).write(scope.with_values({**here, self.inner.name: inner}), lane)
            for name, state in own.items():
                with code.loop("lane", lanes, VECTORIZED) as lane:
                    state.copy(code, lane, body.states[name], task * index(lanes) + lane)
        with ExitStack() as loops:
            scope = enter_nest(self.frame, loops, self.outer, 0, scope)
            self._rest(body, scope, whole, rest)

    def _cut(self) -> tuple[Extent, Extent]:
        """Whole vectors along the inner col, and elements left over."""
        extent, lanes = self.frame.extent(self.inner.extent), self.schedule.lanes
        if isinstance(extent, int):
            return extent // lanes, extent % lanes
        return tirx.FloorDiv(extent, index(lanes)), tirx.FloorMod(extent, index(lanes))

    def _rest(self, body: _Element, scope: Scope, whole: Extent, rest: Extent) -> None:
        start = index(whole) * index(self.schedule.lanes)
        if not isinstance(rest, int):
            self._rest_of_any_length(body, scope, self.frame.code.bind("start", start), rest)
        elif rest:
            with self.frame.code.loop("lane", rest, body.lane_kind) as lane:
                body.write(scope.with_values({self.inner.name: start + lane}), lane)

    def _rest_of_any_length(self, body: _Element, scope: Scope, start: Term, rest: Term) -> None:
        """Shorter vectors, then one by one, all into the first lanes: states that are told by numbers stay in registers."""
        code, name, lanes = self.frame.code, self.inner.name, self.schedule.lanes
        for _ in range(SHORTENED):
            lanes = max(1, lanes // SHORTER)
            vectors = code.bind("vectors", quotient(rest, lanes))
            with code.loop("shorter", vectors) as vector, code.loop("lane", lanes, body.lane_kind) as lane:
                body.write(scope.with_values({name: start + vector * index(lanes) + lane}), lane)
            done = code.bind("done", vectors * index(lanes))
            start, rest = code.bind("start", start + done), code.bind("rest", rest - done)
        with code.loop("single", rest) as single:
            body.write(scope.with_values({name: start + single}), ZERO)


@dataclass(frozen=True, slots=True)
class _Element:
    """The steps of a pass at one element. Values in `kept` are written to their row buffer in the first pass that has
    them, and read in later ones (`filled`)."""

    frame: Frame
    spec: Reduce
    steps: tuple[Step, ...]
    states: dict[str, State]
    kept: dict[str, Term]
    filled: frozenset[str]
    lane_kind: Term

    def write(self, scope: Scope, lane: Term) -> None:
        """`lane` is the place in the states."""
        code = self.frame.code
        position = linear_index(self.frame, self.spec.cols, scope)
        for step in self.steps:
            if isinstance(step, Fold):
                take(code, self.states[step.name], lane, position, scope)
            elif isinstance(step, Let) and step.name in self.filled:
                scope = scope.with_values({step.name: tirx.BufferLoad(self.kept[step.name], [position])})
            elif step in self.spec.columns:
                add_to_column(code, self.spec, step, scope)
            else:
                scope = run_steps(code, (step,), scope)
                if isinstance(step, Let) and step.name in self.kept:
                    code.add(tirx.BufferStore(self.kept[step.name], scope.values[step.name], [position]))
