"""Scan: what stands before a position joins it, position after position.

A vector of neighbours is folded by halving steps: each lane joins the one 1, 2, 4, ... before it, then what stands before them
all. What cannot be a vector takes one position after another, of rows side by side to hide the latency of an addition. Where
there are fewer rows than the processor can use, a row is cut into chunks: their totals, what each chunk begins with, and then
the scan itself, every chunk on its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass

from tvm import tirx

from uol.backends.cpu.expressions.builder import PARALLEL, SERIAL, UNROLLED, VECTORIZED, index
from uol.backends.cpu.expressions.dtypes import Term
from uol.backends.cpu.expressions.extents import greatest
from uol.backends.cpu.expressions.fast_functions import FAST
from uol.backends.cpu.expressions.folds import State, is_positional
from uol.backends.cpu.expressions.lane_values import LaneValues
from uol.backends.cpu.expressions.spec_expressions import Scope, evaluate
from uol.backends.cpu.expressions.vectorising import lane_loop
from uol.backends.cpu.frame import Frame, open_frame
from uol.backends.cpu.host import Host
from uol.backends.cpu.oracle.index_loops import advance
from uol.backends.cpu.schedules.cost import CHAINS, PARALLEL_FROM, size, steps_cost
from uol.backends.cpu.schedules.kinds import Sweep
from uol.backends.cpu.schedules.nest import enter_nest
from uol.backends.cpu.schedules.tile_axes import NOWHERE, Side
from uol.backends.cpu.statements import enter, run_steps, take
from uol.codegen.indexing.affine import coefficient
from uol.codegen.indexing.arithmetic import static
from uol.codegen.specs.nodes import Fold, Let, Scan, Step, Store
from uol.codegen.specs.steps import RECURRENCE
from uol.ir.program.walk import variables

CHUNK_CORES = 3
"""Chunks whose places are not constants take LLVM twice as long (it gathers them), so that two cores win nothing."""
CHUNK_FROM = 64
"""The least length of a chunk."""
IN_ORDER = ("prod", RECURRENCE)
"""Folds that take one position after another."""
LINE = 16
"""The f32 elements of a cache line."""


def candidates(spec: Scan, host: Host) -> tuple[Sweep, ...]:
    """Rows side by side, or chunks where rows are few."""
    rows, length = size(spec.rows), static(spec.along.extent)
    along = _lies_along(spec) and (length is None or length >= host.lanes)
    large = None in (rows, length) or (rows or 0) * (length or 0) * steps_cost(spec.steps) >= PARALLEL_FROM
    worthwhile = host.cores > 1 and large
    wanted = 1 if along else CHUNK_CORES
    tasks = 2 * host.cores if worthwhile and host.cores >= wanted else 1
    best = Sweep(host.lanes, True, 0, tasks, True) if along else Sweep(CHAINS, False, 0, tasks)
    is_long = length is not None and length // best.chunks >= CHUNK_FROM
    if rows is not None and rows < CHAINS and best.chunks > 1 and is_long and _joins_in_parts(spec):
        return (best,)
    if along:
        return (Sweep(host.lanes, True, len(spec.rows) if worthwhile else 0, along=True),)
    inner = static(spec.rows[-1].extent) if spec.rows else 1
    is_vector = bool(spec.rows) and _stores_along(spec, spec.rows[-1].name)
    lanes = 2 * host.lanes if is_vector else CHAINS
    while lanes > 1 and (lanes > (inner or lanes) or (worthwhile and rows is not None and rows // lanes < host.cores)):
        lanes //= 2
    return (Sweep(lanes, is_vector, len(spec.rows) if worthwhile else 0),)


def _stores_along(spec: Scan, axis: str) -> bool:
    return any(isinstance(s, Store) and coefficient(s.offset, axis) == 1 for s in spec.steps)


def _lies_along(spec: Scan) -> bool:
    """Can neighbours along the axis be a vector, whose lanes are joined in any order? Not products, nor the maps of a
    recurrence: 16 large factors overflow where the 0 before them would have kept them at 0; nor where a store is not of
    neighbours."""
    folds = [s for s in spec.steps if isinstance(s, Fold)]
    return _stores_along(spec, spec.along.name) and not any(is_positional(f) or f.op in IN_ORDER for f in folds)


def _joins_in_parts(spec: Scan) -> bool:
    """Can every fold be known without another one, and its parts without what stands before them?"""
    if any(isinstance(s, Fold) and s.op in IN_ORDER for s in spec.steps):
        return False
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
    elif schedule.along:
        with ExitStack() as loops:
            _row(frame, spec, schedule.lanes, enter_nest(frame, loops, spec.rows, schedule.parallel, frame.scope))
    else:
        _side_by_side(frame, spec, schedule)
    return frame.close()


def _row(frame: Frame, spec: Scan, lanes: int, scope: Scope) -> None:
    """A row by vectors of neighbours. The last position of an exclusive scan has a result, and no value that counts."""
    code, length = frame.code, index(frame.extent(spec.along.extent))
    states = {s.name: State.declare(code, s, 1, wide=True) for s in spec.steps if isinstance(s, Fold)}
    for state in states.values():
        state.clear(code, index(0))
    last = length - index(1)
    counted = greatest(last, 0) if spec.exclusive else length  # of an empty row `last` is -1, which leaves lanes - 1 over
    _Neighbours(frame, spec, lanes, states).run(scope, index(0), index(counted))
    if spec.exclusive:
        with code.when(last >= index(0)):
            advance_at(frame, spec, states, index(0), scope, (last, False))


@dataclass(frozen=True, slots=True)
class _Neighbours:
    """Positions that follow one another, `lanes` at a time. `begins` is what stands before them, and goes along."""

    frame: Frame
    spec: Scan
    lanes: int
    begins: Mapping[str, State]

    def run(self, scope: Scope, first: Term, count: Term) -> None:
        """`count` positions, from the number `first` on."""
        code, lanes = self.frame.code, index(self.lanes)
        whole = code.bind("whole", tirx.floordiv(count, lanes))
        with code.loop("vector", whole) as vector:
            self._vector(scope, first + vector * lanes)
        with code.loop("left", count - whole * lanes) as left:
            number = code.bind("number", first + whole * lanes + left)
            advance_at(self.frame, self.spec, self.begins, index(0), scope, (number, None))

    def _vector(self, scope: Scope, first: Term) -> None:
        """The positions from the number `first` on. Lane 0 has the least of them, whichever way the scan goes."""
        code, along = self.frame.code, self.spec.along.name
        last = first + index(self.lanes - 1) if self.spec.reverse else first
        least = code.bind("least", place_of(self.frame, self.spec, last))
        values, results = LaneValues(), dict[str, State]()
        kind = lane_loop(self.spec.steps, (along, *self.begins), scope)
        for let in self.spec.steps:
            if isinstance(let, Let):
                values.declare(code, let, self.lanes)
        for step in self.spec.steps:
            state = self._cleared(step) if isinstance(step, Fold) else None
            with code.loop("lane", self.lanes, kind) as lane:
                known = {name: result.result(code.share, lane) for name, result in results.items()}
                here = scope.with_values({along: least + lane, **values.at(lane), **known})
                if isinstance(step, Let):
                    values.put(code, step.name, lane, evaluate(step.value, here))
                elif state is not None:
                    take(code, state, lane, least + lane, here)
                else:
                    run_steps(code, (step,), here)
            if state is not None:
                results[state.fold.name] = self._joined(state)

    def _cleared(self, fold: Fold) -> State:
        state = State.declare(self.frame.code, fold, self.lanes, wide=True)
        with self.frame.code.loop("lane", self.lanes, VECTORIZED) as lane:
            state.clear(self.frame.code, lane)
        return state

    def _joined(self, state: State) -> State:
        """What each lane's position has as its result."""
        code, begin, distance = self.frame.code, self.begins[state.fold.name], 1
        while distance < self.lanes:
            other = state.shifted(code, -distance if self.spec.reverse else distance)
            with code.loop("lane", self.lanes, VECTORIZED) as lane:
                state.merge(code, lane, lane, other)
            distance *= 2
        result = state.shifted(code, -1 if self.spec.reverse else 1) if self.spec.exclusive else state
        total = State.declare(code, state.fold, 1, wide=True)
        total.clear(code, index(0))
        total.merge(code, index(0), index(0 if self.spec.reverse else self.lanes - 1), state)
        with code.loop("lane", self.lanes, VECTORIZED) as lane:
            result.merge(code, lane, index(0), begin)
        begin.merge(code, index(0), index(0), total)
        return result


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
        here = scope.with_values({self.row: self.start + lane})
        advance_at(self.frame, self.spec, states, lane, here, (number, counts))


def _spread(length: int) -> int:
    """An odd number of cache lines: chunks that begin a multiple of 4 KB apart would share a set of the first-level cache."""
    return length - (length - LINE) % (2 * LINE) if length >= 16 * LINE else length


def place_of(frame: Frame, spec: Scan, number: Term) -> Term:
    """The position that is `number` steps from where the scan begins."""
    return index(frame.extent(spec.along.extent)) - index(1) - number if spec.reverse else number


def advance_at(
    frame: Frame, spec: Scan, states: Mapping[str, State], lane: Term, scope: Scope, at: tuple[Term, Term | bool | None]
) -> None:
    """The steps of one lane at the position of a number, and whether its value counts."""
    position = frame.code.bind("position", place_of(frame, spec, at[0]))
    advance(frame.code, spec.steps, states, lane, scope.with_values({spec.along.name: position}), (spec, position, at[1]))


@dataclass(frozen=True, slots=True)
class _Chunks:
    """One row: chunks of equal length, and what is left over after the last."""

    frame: Frame
    spec: Scan
    schedule: Sweep

    def run(self, scope: Scope) -> None:
        code, spec, count = self.frame.code, self.spec, self.schedule.chunks
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
            advance_at(self.frame, spec, begins, index(count), scope, (number, counts))

    def _totals(self, length: int, scope: Scope, totals: Mapping[str, State]) -> None:
        """The fold over each chunk, in any order: lanes along it, joined by a halving tree."""
        code = self.frame.code
        steps = _before_folds(self.spec.steps)
        kind = lane_loop(steps, (self.spec.along.name,), scope)
        beside = self.schedule.chunks // self.schedule.tasks
        with self._tasks() as task, code.loop("one", beside) as one:
            chunk = code.bind("chunk", task * index(beside) + one)
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
        code, beside = self.frame.code, self.schedule.chunks // self.schedule.tasks
        with self._tasks() as task:
            states = {name: State.declare(code, begin.fold, beside, wide=True) for name, begin in begins.items()}
            for name, state in states.items():
                with code.loop("lane", beside, UNROLLED) as lane:
                    state.clear(code, lane)
                    state.merge(code, lane, task * index(beside) + lane, begins[name])
            if self.schedule.along:
                _Neighbours(self.frame, self.spec, self.schedule.lanes, states).run(scope, task * index(length), index(length))
                return
            with code.loop("number", length) as number, code.loop("lane", beside, UNROLLED) as lane:
                here = (task * index(beside) + lane) * index(length) + number
                advance_at(self.frame, self.spec, states, lane, scope, (here, None))

    def _tasks(self) -> AbstractContextManager[Term]:
        return self.frame.code.loop("task", self.schedule.tasks, PARALLEL if self.schedule.tasks > 1 else SERIAL)


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
