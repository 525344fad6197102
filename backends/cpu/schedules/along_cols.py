"""Rows whose cols feed the lanes: partial results in lanes, joined by a halving tree."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass

from tvm import tirx

from uol.backends.cpu.expressions.builder import PARALLEL, SERIAL, VECTORIZED, Extent, index
from uol.backends.cpu.expressions.dtypes import Term, representation
from uol.backends.cpu.expressions.fast_functions import FAST
from uol.backends.cpu.expressions.folds import State
from uol.backends.cpu.expressions.spec_expressions import Scope
from uol.backends.cpu.expressions.vectorising import lane_loop
from uol.backends.cpu.frame import Frame, open_frame
from uol.backends.cpu.schedules.kinds import Reduction
from uol.backends.cpu.schedules.nest import enter_nest, product, unflatten
from uol.backends.cpu.statements import linear_index, run_steps, take
from uol.codegen.specs.nodes import Fold, Let, Reduce, Step
from uol.codegen.specs.steps import passes_of
from uol.ir.program.nodes import Axis, Const

ZERO = index(0)


def along_cols(spec: Reduce, schedule: Reduction) -> Term:
    """The kernel as a PrimFunc. `spec` is collapsed."""
    frame = open_frame(spec, FAST)
    with ExitStack() as loops:
        scope = enter_nest(frame, loops, spec.rows, schedule.parallel, frame.scope)
        Row(frame, spec, schedule).run(scope)
    return frame.close()


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
        for run in passes.passes:
            states = {f.name: State.declare(code, f, self.schedule.lanes * self.schedule.col_tasks) for f in run.folds}
            for state in states.values():
                self._clear(state)
            lane_kind = lane_loop(run.steps, (self.inner.name,), scope)
            body = _Element(self.frame, self.spec, run.steps, states, kept, frozenset(filled), lane_kind)
            if self.schedule.col_tasks > 1:
                self._pass_in_tasks(body, scope)
            else:
                self._pass(body, scope)
            filled |= {s.name for s in run.steps if isinstance(s, Let)} & kept.keys()
            for state in states.values():
                self._join(state)
            scope = scope.with_values({name: code.hold(name, s.result(code.share, ZERO)) for name, s in states.items()})
            scope = run_steps(code, run.row_steps, scope)
        return scope

    def _row_buffer(self, let: Let) -> Term:
        length = product([self.frame.extent(c.extent) for c in self.spec.cols])
        assert isinstance(length, int)
        return self.frame.code.local(f"{let.name}_row", max(length, 1), representation(let.dtype).compute)

    def _clear(self, state: State) -> None:
        code, lanes = self.frame.code, self.schedule.lanes
        with code.loop("task", self.schedule.col_tasks) as task, code.loop("lane", lanes, VECTORIZED) as lane:
            state.clear(code, task * index(lanes) + lane)

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

    def _pass(self, body: _Element, scope: Scope) -> None:
        """One pass over the cols: vectors of lanes, then one shorter vector."""
        code, lanes = self.frame.code, self.schedule.lanes
        whole, rest = self._cut()
        with ExitStack() as loops:
            scope = enter_nest(self.frame, loops, self.outer, 0, scope)
            start, count = self._vectors(scope, whole)
            vectors = code.loop(f"{self.inner.name}_vector", count, start=start)
            with vectors as vector, code.loop("lane", lanes, body.lane_kind) as lane:
                body.write(scope.with_values({self.inner.name: vector * index(lanes) + lane}), lane)
            if self.inner.name in scope.limits:
                loops.enter_context(code.when(scope.limits[self.inner.name][1] > index(whole) * index(lanes)))
            self._rest(body, scope, whole, rest)

    def _vectors(self, scope: Scope, whole: Extent) -> tuple[Extent, Extent]:
        """The first of the whole vectors, and how many: limits are multiples of a vector, or the end of the cols."""
        if self.inner.name not in scope.limits:
            return 0, whole
        start, end = (tirx.FloorDiv(limit, index(self.schedule.lanes)) for limit in scope.limits[self.inner.name])
        return start, end - start

    def _pass_in_tasks(self, body: _Element, scope: Scope) -> None:
        """The same with the vectors dealt out to tasks; what is left over is done by the caller."""
        code, lanes = self.frame.code, self.schedule.lanes
        whole, rest = self._cut()
        named = [(a.name, self.frame.extent(a.extent)) for a in self.outer] + [("vector", whole)]
        total = index(product([e for _, e in named]))
        tasks = index(self.schedule.col_tasks)
        with code.loop("task", self.schedule.col_tasks, PARALLEL) as task:
            first = code.bind("first", tirx.FloorDiv(task * total, tasks))
            count = code.bind("count", tirx.FloorDiv((task + index(1)) * total, tasks) - first)
            with code.loop("step", count, start=first) as step:
                here = unflatten(self.frame, step, named)
                with code.loop("lane", lanes, body.lane_kind) as lane:
                    inner = here["vector"] * index(lanes) + lane
                    body.write(scope.with_values({**here, self.inner.name: inner}), task * index(lanes) + lane)
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
        if isinstance(rest, int) and rest == 0:
            return
        with self.frame.code.loop("lane", rest, body.lane_kind if isinstance(rest, int) else SERIAL) as lane:
            body.write(scope.with_values({self.inner.name: index(whole) * index(self.schedule.lanes) + lane}), lane)


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
            else:
                scope = run_steps(code, (step,), scope)
                if isinstance(step, Let) and step.name in self.kept:
                    code.add(tirx.BufferStore(self.kept[step.name], scope.values[step.name], [position]))
