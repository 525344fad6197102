"""Scan: one step after another along the axis, so rows are taken side by side to hide the latency of an addition.

Where there are fewer rows than the processor can use, a row is cut into chunks: their totals, what each chunk begins with,
and then the scan itself, every chunk on its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass

from uol.backends.cpu.expressions.builder import PARALLEL, SERIAL, UNROLLED, VECTORIZED, index
from uol.backends.cpu.expressions.dtypes import Term
from uol.backends.cpu.expressions.fast_functions import FAST
from uol.backends.cpu.expressions.folds import State
from uol.backends.cpu.expressions.spec_expressions import Scope
from uol.backends.cpu.expressions.vectorising import lane_loop
from uol.backends.cpu.frame import Frame, open_frame
from uol.backends.cpu.host import Host
from uol.backends.cpu.oracle.index_loops import advance
from uol.backends.cpu.schedules.cost import PARALLEL_FROM, size, steps_cost
from uol.backends.cpu.schedules.kinds import Sweep
from uol.backends.cpu.schedules.nest import enter_nest
from uol.backends.cpu.schedules.tile_axes import NOWHERE, Side
from uol.backends.cpu.statements import enter, run_steps, take
from uol.codegen.indexing.affine import coefficient
from uol.codegen.indexing.arithmetic import static
from uol.codegen.specs.nodes import Fold, Let, Scan, Step, Store
from uol.ir.program.walk import variables

CHAINS = 8
"""Independent additions in flight: four cycles of latency, two a cycle."""
CHUNK_CORES = 3
"""Chunks whose places are not constants take LLVM twice as long (it gathers them), so that two cores win nothing."""
CHUNK_FROM = 64
"""The least length of a chunk."""
LINE = 16
"""The f32 elements of a cache line."""


def candidates(spec: Scan, host: Host) -> tuple[Sweep, ...]:
    """Rows side by side, or chunks where rows are few."""
    rows, length = size(spec.rows), static(spec.along.extent)
    large = None in (rows, length) or (rows or 0) * (length or 0) * steps_cost(spec.steps) >= PARALLEL_FROM
    worthwhile = host.cores > 1 and large
    tasks = 2 * host.cores if worthwhile and host.cores >= CHUNK_CORES else 1
    is_long = length is not None and length // (tasks * CHAINS) >= CHUNK_FROM
    if rows is not None and rows < CHAINS and is_long and _independent(spec):
        return (Sweep(CHAINS, False, 0, tasks),)
    inner = static(spec.rows[-1].extent) if spec.rows else 1
    is_vector = bool(spec.rows) and _stores_along(spec, spec.rows[-1].name)
    lanes = 2 * host.lanes if is_vector else CHAINS
    while lanes > 1 and (lanes > (inner or lanes) or (worthwhile and rows is not None and rows // lanes < host.cores)):
        lanes //= 2
    return (Sweep(lanes, is_vector, len(spec.rows) if worthwhile else 0),)


def _stores_along(spec: Scan, axis: str) -> bool:
    return any(isinstance(s, Store) and coefficient(s.offset, axis) == 1 for s in spec.steps)


def _independent(spec: Scan) -> bool:
    """Can every fold be known without another one?"""
    behind: dict[str, frozenset[str]] = {}
    folds = {s.name for s in spec.steps if isinstance(s, Fold)}
    for step in spec.steps:
        used = variables(step.value)
        seen = used.union(*(behind.get(n, frozenset()) for n in used))
        if isinstance(step, Fold) and seen & folds:
            return False
        if not isinstance(step, Store):
            behind[step.name] = seen
    return True


def scheduled(spec: Scan, schedule: Sweep) -> Term:
    """The kernel as a PrimFunc."""
    frame = open_frame(spec, FAST)
    if schedule.tasks:
        with ExitStack() as loops:
            _Chunks(frame, spec, schedule).run(enter(frame, loops, spec.rows, frame.scope))
    else:
        _side_by_side(frame, spec, schedule)
    return frame.close()


def _side_by_side(frame: Frame, spec: Scan, schedule: Sweep) -> None:
    inner = spec.rows[-1] if spec.rows else NOWHERE
    rows = Side.of((inner,), schedule.lanes, 1)
    nest = (*spec.rows[:-1], rows.tiles)
    with ExitStack() as loops:
        scope = enter_nest(frame, loops, nest, len(nest) if schedule.parallel else 0, frame.scope)
        for start, lanes in rows.pieces(frame, scope):
            _Block(frame, spec, inner.name, lanes, start, schedule.is_vector).run(scope)


@dataclass(frozen=True, slots=True)
class _Block:
    """`lanes` rows from `start` on."""

    frame: Frame
    spec: Scan
    row: str
    lanes: int
    start: Term
    is_vector: bool

    def run(self, scope: Scope) -> None:
        code, spec = self.frame.code, self.spec
        length = self.frame.extent(spec.along.extent)
        states = {s.name: State.declare(code, s, self.lanes, wide=True) for s in spec.steps if isinstance(s, Fold)}
        with code.loop("lane", self.lanes, VECTORIZED) as lane:
            for state in states.values():
                state.clear(code, lane)
        kind = lane_loop(spec.steps, (self.row, *states), scope) if self.is_vector else UNROLLED
        last = index(length) - index(1)
        counted = last if spec.exclusive else length  # a loop of -1 steps is none
        with code.loop("number", counted) as number, code.loop("lane", self.lanes, kind) as lane:
            self._at(states, lane, scope, number, True)
        if spec.exclusive:
            with code.when(last >= index(0)), code.loop("lane", self.lanes, kind) as lane:
                self._at(states, lane, scope, last, False)

    def _at(self, states: Mapping[str, State], lane: Term, scope: Scope, number: Term, counts: bool) -> None:
        position = place_of(self.frame, self.spec, number)
        here = scope.with_values({self.row: self.start + lane, self.spec.along.name: position})
        advance(self.frame.code, self.spec.steps, states, lane, here, (self.spec, position, counts))


def _spread(length: int) -> int:
    """An odd number of cache lines: chunks that begin a multiple of 4 KB apart would share a set of the first-level cache."""
    return length - (length - LINE) % (2 * LINE) if length >= 16 * LINE else length


def place_of(frame: Frame, spec: Scan, number: Term) -> Term:
    """The position that is `number` steps from where the scan begins."""
    return index(frame.extent(spec.along.extent)) - index(1) - number if spec.reverse else number


@dataclass(frozen=True, slots=True)
class _Chunks:
    """One row: chunks of equal length, and what is left over after the last."""

    frame: Frame
    spec: Scan
    schedule: Sweep

    def run(self, scope: Scope) -> None:
        code, spec, count = self.frame.code, self.spec, self.schedule.tasks * self.schedule.lanes
        extent = self.frame.extent(spec.along.extent)
        assert isinstance(extent, int)
        length = _spread((extent - 1 if spec.exclusive else extent) // count)
        folds = [s for s in spec.steps if isinstance(s, Fold)]
        totals = {f.name: State.declare(code, f, count, wide=True) for f in folds}
        begins = {f.name: State.declare(code, f, count + 1, wide=True) for f in folds}
        self._totals(length, scope, totals)
        for name, begin in begins.items():
            begin.clear(code, index(0))
            with code.loop("chunk", count) as chunk:
                begin.clear(code, chunk + index(1))
                begin.merge(code, chunk + index(1), chunk)
                begin.merge(code, chunk + index(1), chunk, totals[name])
        self._scan(length, scope, begins)
        with code.loop("number", extent - count * length, start=count * length) as number:
            counts = number < index(extent - 1) if spec.exclusive else None
            self._at(begins, index(count), scope, number, counts)

    def _totals(self, length: int, scope: Scope, totals: Mapping[str, State]) -> None:
        """The fold over each chunk, in any order: lanes along it, joined by a halving tree."""
        code = self.frame.code
        steps = _before_folds(self.spec.steps)
        kind = lane_loop(steps, (self.spec.along.name,), scope)
        with self._tasks() as task, code.loop("one", self.schedule.lanes) as one:
            chunk = code.bind("chunk", task * index(self.schedule.lanes) + one)
            lowest = place_of(self.frame, self.spec, (chunk + index(1)) * index(length) - index(1))
            first = code.bind("first", lowest if self.spec.reverse else chunk * index(length))
            states = {name: State.declare(code, total.fold, LINE, wide=True) for name, total in totals.items()}
            with code.loop("lane", LINE, VECTORIZED) as lane:
                for state in states.values():
                    state.clear(code, lane)
            for start, count, lanes in ((0, length // LINE, LINE), (length - length % LINE, 1, length % LINE)):
                if count and lanes:
                    with code.loop("number", count) as number, code.loop("lane", lanes, kind) as lane:
                        at = first + index(start) + number * index(LINE) + lane
                        self._count(steps, states, lane, scope.with_values({self.spec.along.name: at}), at)
            for name, state in states.items():
                lanes = LINE
                while lanes > 1:
                    lanes //= 2
                    with code.loop("lane", lanes, VECTORIZED) as lane:
                        state.merge(code, lane, lane + index(lanes))
                totals[name].clear(code, chunk)
                totals[name].merge(code, chunk, index(0), state)

    def _count(self, steps: tuple[Step, ...], states: Mapping[str, State], lane: Term, scope: Scope, position: Term) -> None:
        for step in steps:
            if isinstance(step, Fold):
                take(self.frame.code, states[step.name], lane, position, scope)
            else:
                scope = run_steps(self.frame.code, (step,), scope)

    def _scan(self, length: int, scope: Scope, begins: Mapping[str, State]) -> None:
        """Every chunk from where it begins, those of a task side by side. What a task counts with is its own."""
        code, lanes = self.frame.code, self.schedule.lanes
        with self._tasks() as task:
            states = {name: State.declare(code, begin.fold, lanes, wide=True) for name, begin in begins.items()}
            for name, state in states.items():
                with code.loop("lane", lanes, UNROLLED) as lane:
                    state.clear(code, lane)
                    state.merge(code, lane, task * index(lanes) + lane, begins[name])
            with code.loop("number", length) as number, code.loop("lane", lanes, UNROLLED) as lane:
                self._at(states, lane, scope, (task * index(lanes) + lane) * index(length) + number, None)

    def _tasks(self) -> AbstractContextManager[Term]:
        return self.frame.code.loop("task", self.schedule.tasks, PARALLEL if self.schedule.tasks > 1 else SERIAL)

    def _at(self, states: Mapping[str, State], lane: Term, scope: Scope, number: Term, counts: Term | None) -> None:
        position = self.frame.code.bind("position", place_of(self.frame, self.spec, number))
        here = scope.with_values({self.spec.along.name: position})
        advance(self.frame.code, self.spec.steps, states, lane, here, (self.spec, position, counts))


def _before_folds(steps: tuple[Step, ...]) -> tuple[Step, ...]:
    """The folds, and the lets that depend on none of them."""
    after = {s.name for s in steps if isinstance(s, Fold)}
    kept: list[Step] = []
    for step in steps:
        if isinstance(step, Fold):
            kept.append(step)
        elif isinstance(step, Let):
            if variables(step.value) & after:
                after.add(step.name)
            else:
                kept.append(step)
    return tuple(kept)
