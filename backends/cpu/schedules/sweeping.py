"""Scan: one step after another along the axis, so rows are taken side by side to hide the latency of an addition.

Where there are fewer rows than the processor can use, a row is cut into chunks: their totals, what each chunk begins with,
and then the scan itself, every chunk on its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass

from uol.backends.cpu.builder import PARALLEL, SERIAL, UNROLLED, VECTORIZED, index
from uol.backends.cpu.collapse import collapsed
from uol.backends.cpu.dtypes import Term
from uol.backends.cpu.expressions import Scope
from uol.backends.cpu.fast_functions import FAST
from uol.backends.cpu.folds import State
from uol.backends.cpu.frame import Frame, open_frame
from uol.backends.cpu.host import Host
from uol.backends.cpu.index_loops import advance
from uol.backends.cpu.parts import coefficient
from uol.backends.cpu.primfunc import enter, run_steps, take
from uol.backends.cpu.schedules.kinds import Sweep
from uol.backends.cpu.schedules.nest import enter_nest
from uol.backends.cpu.schedules.work import PARALLEL_FROM, size, steps_cost
from uol.backends.cpu.vectorising import lane_loop
from uol.codegen.index import affine, static
from uol.codegen.spec import Fold, Let, Scan, Step, Store
from uol.codegen.traverse import variables
from uol.ir.nodes import Axis, Const

CHAINS = 8
"""Independent additions in flight: four cycles of latency, two a cycle."""
CHUNK_FROM = 64
"""The least length of a chunk."""
NOWHERE = Axis("", Const(1))
"""Stands for the rows of a scan that has one only."""


def candidates(spec: Scan, host: Host) -> tuple[Sweep, ...]:
    """Rows side by side, or chunks where rows are few."""
    flat = collapsed(spec)
    rows, length = size(flat.rows) or 0, static(flat.along.extent) or 0
    worthwhile = host.cores > 1 and rows * length * steps_cost(flat.steps) >= PARALLEL_FROM
    tasks = 2 * host.cores if worthwhile else 1
    if rows < CHAINS and length // (tasks * CHAINS) >= CHUNK_FROM and _independent(flat):
        return (Sweep(CHAINS, False, 0, tasks),)
    inner = static(flat.rows[-1].extent) or 1 if flat.rows else 1
    is_vector = bool(flat.rows) and _stores_along(flat, flat.rows[-1].name)
    lanes = 2 * host.lanes if is_vector else CHAINS
    while lanes > 1 and (lanes > inner or (worthwhile and rows // lanes < host.cores)):
        lanes //= 2
    return (Sweep(max(lanes, 1), is_vector, len(flat.rows) if worthwhile else 0),)


def _stores_along(flat: Scan, axis: str) -> bool:
    stores = (s for s in flat.steps if isinstance(s, Store) and affine(s.offset) is not None)
    return any(coefficient(s.offset, axis) == 1 for s in stores)


def _independent(flat: Scan) -> bool:
    """Can every fold be known without another one?"""
    behind: dict[str, frozenset[str]] = {}
    folds = {s.name for s in flat.steps if isinstance(s, Fold)}
    for step in flat.steps:
        used = variables(step.value)
        seen = used.union(*(behind.get(n, frozenset()) for n in used))
        if isinstance(step, Fold) and seen & folds:
            return False
        if not isinstance(step, Store):
            behind[step.name] = seen
    return True


def scheduled(spec: Scan, schedule: Sweep) -> Term:
    """The kernel as a PrimFunc."""
    flat = collapsed(spec)
    frame = open_frame(flat, FAST)
    if schedule.tasks:
        with ExitStack() as loops:
            _Chunks(frame, flat, schedule).run(enter(frame, loops, flat.rows, frame.scope))
    else:
        _side_by_side(frame, flat, schedule)
    return frame.close()


def _side_by_side(frame: Frame, spec: Scan, schedule: Sweep) -> None:
    code = frame.code
    inner = spec.rows[-1] if spec.rows else NOWHERE
    extent = frame.extent(inner.extent)
    assert isinstance(extent, int)
    whole, rest = divmod(extent, schedule.lanes)
    blocks = Axis(f"{inner.name}_block", Const(whole + (rest > 0)))
    nest = (*spec.rows[:-1], blocks)
    with ExitStack() as loops:
        scope = enter_nest(frame, loops, nest, len(nest) if schedule.parallel else 0, frame.scope)
        block = scope.values[blocks.name]
        for lanes, start, condition in (
            (schedule.lanes if whole else 0, block * index(schedule.lanes), block < index(whole) if rest else None),
            (rest, index(whole * schedule.lanes), block >= index(whole) if whole else None),
        ):
            if not lanes:
                continue
            with ExitStack() as guard:
                if condition is not None:
                    guard.enter_context(code.when(condition))
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
        assert isinstance(length, int)
        states = {s.name: State.declare(code, s, self.lanes, wide=True) for s in spec.steps if isinstance(s, Fold)}
        with code.loop("lane", self.lanes, VECTORIZED) as lane:
            for state in states.values():
                state.clear(code, lane)
        kind = lane_loop(spec.steps, (self.row, *states), scope) if self.is_vector else UNROLLED
        counted = length - 1 if spec.exclusive else length
        with code.loop("number", max(counted, 0)) as number, code.loop("lane", self.lanes, kind) as lane:
            self._at(states, lane, scope, number, True)
        if spec.exclusive and length:
            with code.loop("lane", self.lanes, kind) as lane:
                self._at(states, lane, scope, index(length - 1), False)

    def _at(self, states: Mapping[str, State], lane: Term, scope: Scope, number: Term, counts: bool) -> None:
        position = place_of(self.frame, self.spec, number)
        here = scope.with_values({self.row: self.start + lane, self.spec.along.name: position})
        advance(self.frame.code, self.spec.steps, states, lane, here, (self.spec, position, counts))


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
        length = (extent - 1 if spec.exclusive else extent) // count
        folds = [s for s in spec.steps if isinstance(s, Fold)]
        totals = {f.name: State.declare(code, f, count, wide=True) for f in folds}
        begins = {f.name: State.declare(code, f, count + 1, wide=True) for f in folds}
        self._in_tasks(length, scope, totals, None)
        for name, begin in begins.items():
            begin.clear(code, index(0))
            with code.loop("chunk", count) as chunk:
                begin.clear(code, chunk + index(1))
                begin.merge(code, chunk + index(1), chunk)
                begin.merge(code, chunk + index(1), chunk, totals[name])
        self._in_tasks(length, scope, None, begins)
        with code.loop("number", extent - count * length, start=count * length) as number:
            counts = number < index(extent - 1) if spec.exclusive else None
            self._at(begins, index(count), scope, number, counts)

    def _in_tasks(
        self, length: int, scope: Scope, totals: Mapping[str, State] | None, begins: Mapping[str, State] | None
    ) -> None:
        """All chunks: their totals, or the scan itself from where each begins. What a task counts with is its own."""
        code, lanes = self.frame.code, self.schedule.lanes
        with code.loop("task", self.schedule.tasks, PARALLEL if self.schedule.tasks > 1 else SERIAL) as task:
            states = {s.name: State.declare(code, s, lanes, wide=True) for s in self.spec.steps if isinstance(s, Fold)}
            for name, state in states.items():
                with code.loop("lane", lanes, SERIAL) as lane:
                    state.clear(code, lane)
                    if begins is not None:
                        state.merge(code, lane, task * index(lanes) + lane, begins[name])
            with code.loop("number", length) as number, code.loop("lane", lanes, UNROLLED) as lane:
                at = (task * index(lanes) + lane) * index(length) + number
                if begins is not None:
                    self._at(states, lane, scope, at, None)
                else:
                    self._total(states, lane, scope, at)
            for name, total in (totals or {}).items():
                with code.loop("lane", lanes, SERIAL) as lane:
                    chunk = task * index(lanes) + lane
                    total.clear(code, chunk)
                    total.merge(code, chunk, lane, states[name])

    def _at(self, states: Mapping[str, State], lane: Term, scope: Scope, number: Term, counts: Term | None) -> None:
        position = self.frame.code.bind("position", place_of(self.frame, self.spec, number))
        here = scope.with_values({self.spec.along.name: position})
        advance(self.frame.code, self.spec.steps, states, lane, here, (self.spec, position, counts))

    def _total(self, states: Mapping[str, State], lane: Term, scope: Scope, number: Term) -> None:
        position = self.frame.code.bind("position", place_of(self.frame, self.spec, number))
        here = scope.with_values({self.spec.along.name: position})
        for step in _before_folds(self.spec.steps):
            if isinstance(step, Fold):
                take(self.frame.code, states[step.name], lane, position, here)
            else:
                here = run_steps(self.frame.code, (step,), here)


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
