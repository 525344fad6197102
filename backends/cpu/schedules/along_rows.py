"""Rows that feed the lanes: every lane is a row of its own, so that folds need no joining."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field

from uol.backends.cpu.expressions.builder import VECTORIZED, index
from uol.backends.cpu.expressions.dtypes import Term
from uol.backends.cpu.expressions.fast_functions import FAST
from uol.backends.cpu.expressions.folds import State
from uol.backends.cpu.expressions.lane_values import LaneValues
from uol.backends.cpu.expressions.spec_expressions import Scope, evaluate
from uol.backends.cpu.expressions.vectorising import lane_loop
from uol.backends.cpu.frame import Frame, open_frame
from uol.backends.cpu.schedules.kinds import Reduction
from uol.backends.cpu.schedules.nest import enter_nest
from uol.backends.cpu.statements import enter, linear_index, run_steps, take
from uol.codegen.specs.nodes import Fold, Let, Reduce, Store
from uol.codegen.specs.steps import passes_of
from uol.ir.program.nodes import Axis, Const


def along_rows(spec: Reduce, schedule: Reduction) -> Term:
    """The kernel as a PrimFunc. `spec` is collapsed, and its innermost row static."""
    frame = open_frame(spec, FAST)
    inner = spec.rows[-1]
    extent = frame.extent(inner.extent)
    assert isinstance(extent, int)
    whole, rest = divmod(extent, schedule.lanes)
    blocks = Axis(f"{inner.name}_block", Const(whole + (rest > 0)))
    with ExitStack() as loops:
        nest = (*spec.rows[:-1], blocks)
        scope = enter_nest(frame, loops, nest, min(schedule.parallel, len(nest)), frame.scope)
        block = scope.values[blocks.name]
        if whole:
            with ExitStack() as guard:
                if rest:
                    guard.enter_context(frame.code.when(block < index(whole)))
                _Block(frame, spec, schedule.lanes, block * index(schedule.lanes)).run(scope)
        if rest:
            with ExitStack() as guard:
                if whole:
                    guard.enter_context(frame.code.when(block >= index(whole)))
                _Block(frame, spec, rest, index(whole * schedule.lanes)).run(scope)
    return frame.close()


@dataclass(slots=True)
class _Block:
    """`lanes` rows from `start` on. What a lane knows of its row lies in arrays: `states` of folds, `values` of lets."""

    frame: Frame
    spec: Reduce
    lanes: int
    start: Term
    states: dict[str, State] = field(default_factory=dict)
    values: LaneValues = field(default_factory=LaneValues)

    def run(self, scope: Scope) -> None:
        code = self.frame.code
        passes = passes_of(self.spec)
        self._row_steps(passes.before, scope)
        for run in passes.passes:
            states = {f.name: State.declare(code, f, self.lanes) for f in run.folds}
            with code.loop("lane", self.lanes, VECTORIZED) as lane:
                for state in states.values():
                    state.clear(code, lane)
            with ExitStack() as loops:
                inner = enter(self.frame, loops, self.spec.cols, scope)
                position = linear_index(self.frame, self.spec.cols, inner)
                with code.loop("lane", self.lanes, lane_loop(run.steps, self._varying, scope)) as lane:
                    here = self._lane_scope(lane, inner)
                    for step in run.steps:
                        if isinstance(step, Fold):
                            take(code, states[step.name], lane, position, here)
                        else:
                            here = run_steps(code, (step,), here)
            self.states |= states
            self._row_steps(run.row_steps, scope)

    def _row_steps(self, steps: tuple[Let | Store, ...], scope: Scope) -> None:
        code = self.frame.code
        for step in steps:
            if not isinstance(step, Let):
                with code.loop("lane", self.lanes, lane_loop((step,), self._varying, scope)) as lane:
                    run_steps(code, (step,), self._lane_scope(lane, scope))
                continue
            self.values.declare(code, step, self.lanes)
            with code.loop("lane", self.lanes, lane_loop((step,), self._varying, scope)) as lane:
                self.values.put(code, step.name, lane, evaluate(step.value, self._lane_scope(lane, scope)))

    @property
    def _varying(self) -> set[str]:
        """What differs from lane to lane."""
        return {self.spec.rows[-1].name, *self.states, *self.values.arrays}

    def _lane_scope(self, lane: Term, scope: Scope) -> Scope:
        """What names stand for in one lane."""
        known = {name: state.result(self.frame.code.share, lane) for name, state in self.states.items()}
        return scope.with_values({**known, **self.values.at(lane), self.spec.rows[-1].name: self.start + lane})
