"""Rows that feed the lanes: every lane is a row of its own, so that folds need no joining."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field, replace

from tvm import tirx

from uol.backends.cpu.expressions.builder import SERIAL, UNROLLED, VECTORIZED, index
from uol.backends.cpu.expressions.dtypes import Term
from uol.backends.cpu.expressions.extents import quotient
from uol.backends.cpu.expressions.fast_functions import FAST
from uol.backends.cpu.expressions.folds import State
from uol.backends.cpu.expressions.lane_values import LaneValues
from uol.backends.cpu.expressions.spec_expressions import Scope, evaluate
from uol.backends.cpu.expressions.vectorising import lane_loop
from uol.backends.cpu.frame import Frame, open_frame
from uol.backends.cpu.operands.interiors import interior_of
from uol.backends.cpu.operands.strided_reads import LANE, from_lanes, loaded, strided_reads
from uol.backends.cpu.schedules.cost import MANY_COLS, size
from uol.backends.cpu.schedules.kinds import Reduction
from uol.backends.cpu.schedules.nest import enter_nest
from uol.backends.cpu.statements import enter, linear_index, run_steps, take
from uol.codegen.indexing.arithmetic import static
from uol.codegen.specs.nodes import Fold, Let, Reduce, Step, Store
from uol.codegen.specs.steps import passes_of
from uol.codegen.specs.traverse import reads, step_expressions
from uol.ir.integers.terms import compare
from uol.ir.program.nodes import Axis, Const, Var

UNROLLED_COLS = 9
"""A window of 3x3."""
COLS_TOGETHER = 8
"""Lines of memory that are asked for together, a few vectors of each: what a core can wait for at a time is 10 to 48 lines."""


def along_rows(spec: Reduce, schedule: Reduction) -> Term:
    """The kernel as a PrimFunc. `spec` is collapsed, and its innermost row static."""
    frame = open_frame(spec, FAST)
    inner = spec.rows[-1]
    pieces = _pieces(spec, schedule.lanes, schedule.vectors)
    whole = pieces[0].count if pieces[0].width == schedule.lanes * schedule.vectors else 0
    others = pieces[bool(whole) :]
    blocks = Axis(f"{inner.name}_block", Const(whole + bool(others)))
    with ExitStack() as loops:
        nest = (*spec.rows[:-1], blocks)
        scope = enter_nest(frame, loops, nest, min(schedule.parallel, len(nest)), frame.scope)
        block = scope.values[blocks.name]
        if whole:
            with _only_if(frame, block < index(whole), bool(others)):
                _run(frame, pieces[0], pieces[0].start(block), scope)
        if others:
            with _only_if(frame, block >= index(whole), bool(whole)):
                for piece in others:
                    _run(frame, piece, index(piece.first), scope)
    return frame.close()


def _run(frame: Frame, piece: _Piece, start: Term, scope: Scope) -> None:
    """A block of a piece, whose reads are in range there."""
    row = Var(piece.spec.rows[-1].name)
    with scope.facts.scope(compare(">=", row, Const(piece.first)), compare("<", row, Const(piece.last))):
        _Block(frame, piece.spec, piece.width, min(piece.lanes, piece.width), start).run(scope)


@dataclass(frozen=True, slots=True)
class _Piece:
    """`count` blocks of `width` rows from `first` on, as far as `last`: where they do not fill that, the last one begins
    earlier, and computes again what its neighbour has. `spec` is the kernel as it is there, and goes by `lanes`."""

    spec: Reduce
    first: int
    last: int
    width: int
    lanes: int

    @property
    def count(self) -> int:
        return -(-(self.last - self.first) // self.width)

    def start(self, block: Term) -> Term:
        start = index(self.first) + block * index(self.width)
        return start if (self.last - self.first) % self.width == 0 else tirx.Min(start, index(self.last - self.width))


def _pieces(spec: Reduce, lanes: int, vectors: int) -> list[_Piece]:
    """The innermost row in pieces: whole blocks first, where there are any."""
    interior, width = interior_of(spec), lanes * vectors
    extent, first, last = static(spec.rows[-1].extent) or 0, interior.first, interior.last
    rest = 0 if interior.length >= width and _may_repeat(spec) else interior.length % width
    ends = [(spec, 0, first), (spec, last, extent), (interior.spec, last - rest, last)]
    whole = [_Piece(interior.spec, first, last - rest, width, lanes)] if last - rest > first else []
    return [*whole, *(_Piece(part, a, b, b - a, lanes) for part, a, b in ends if a < b)]


def _may_repeat(spec: Reduce) -> bool:
    """May a row be computed twice? Not where its result may be written over what it is made from: that is read by row steps
    alone, see `uol.codegen.specs.in_place`."""
    rows = {axis.name for axis in spec.rows}
    own = [s for s in spec.steps if not isinstance(s, Fold) and set(s.axes) <= rows]
    return not any(True for step in own for expr in step_expressions(step) for _ in reads(expr))


@contextmanager
def _only_if(frame: Frame, condition: Term, is_open: bool) -> Iterator[None]:
    """The block under a condition, where there is any doubt."""
    with frame.code.when(condition) if is_open else nullcontext():
        yield


@dataclass(slots=True)
class _Block:
    """`width` rows from `start` on, `lanes` at a time. What a lane knows of its row lies in arrays: `states` of folds,
    `values` of lets."""

    frame: Frame
    spec: Reduce
    width: int
    lanes: int
    start: Term
    states: dict[str, State] = field(default_factory=dict)
    values: LaneValues = field(default_factory=LaneValues)

    def run(self, scope: Scope) -> None:
        code = self.frame.code
        passes = passes_of(self.spec)
        self._row_steps(passes.before, scope)
        for run in passes.passes:
            states = {f.name: State.declare(code, f, self.width, positions=size(self.spec.cols) or 0) for f in run.folds}
            for lane, _ in self._each_lane(VECTORIZED):
                for state in states.values():
                    state.clear(code, lane)
            if self.width >= 2 * self.lanes and (size(self.spec.cols) or MANY_COLS) >= MANY_COLS:
                self._walk(run.steps, states, scope)
            else:
                with ExitStack() as loops:
                    inner = enter(self.frame, loops, self.spec.cols, scope, self._col_kind)
                    self._elements(run.steps, states, inner)
            self.states |= states
            self._row_steps(run.row_steps, scope)

    def _walk(self, steps: tuple[Step, ...], states: Mapping[str, State], scope: Scope) -> None:
        """A pass over many cols, a few of the innermost at a time: as many lines of memory are on their way together, and a
        vector of states is held in a register for all of them."""
        code, inner = self.frame.code, self.spec.cols[-1]
        extent = self.frame.extent(inner.extent)
        with ExitStack() as loops:
            scope = enter(self.frame, loops, self.spec.cols[:-1], scope)
            whole = quotient(extent, COLS_TOGETHER)
            left = whole * COLS_TOGETHER
            for start, count, together in ((0, whole, COLS_TOGETHER), (left, extent - left, 1)):
                with code.loop(inner.name, count) as step:
                    first = code.bind("first", index(start) + step * index(together))
                    self._elements(steps, states, scope.with_values({inner.name: first}), together)

    def _elements(self, steps: tuple[Step, ...], states: Mapping[str, State], scope: Scope, together: int = 1) -> None:
        """The steps of a pass at one element of every row, or at a few that follow one another along the innermost col."""
        code, name = self.frame.code, self.spec.rows[-1].name
        kind = lane_loop(steps, self._varying, scope)
        strided = strided_reads(steps, name) if kind == VECTORIZED and 1 < self.lanes == self.width else ()
        scope = loaded(code, strided, name, scope, self.start, self.lanes)
        for lane, beside in self._each_lane(kind, together):
            here = self._lane_scope(lane, scope).with_values({LANE: lane})
            if together > 1:
                col = self.spec.cols[-1].name
                here = here.with_values({col: here.values[col] + beside})
            position = linear_index(self.frame, self.spec.cols, here)
            for step in from_lanes(steps, strided):
                if isinstance(step, Fold):
                    take(code, replace(states[step.name], fold=step), lane, position, here)
                else:
                    here = run_steps(code, (step,), here)

    def _each_lane(self, kind: Term, together: int = 1) -> Iterator[tuple[Term, Term]]:
        """Every row of the block, as the loops that hold what is written for it: whole vectors, then a shorter one; each for
        as many elements."""
        code = self.frame.code
        whole, rest = divmod(self.width, self.lanes)
        for count, lanes in ((whole, self.lanes), (bool(rest), rest)):
            if count:
                with (
                    code.loop("vector", count) as vector,
                    code.loop("beside", together, UNROLLED) as beside,
                    code.loop("lane", lanes, kind) as lane,
                ):
                    yield vector * index(self.lanes) + lane if lanes == self.lanes else index(whole * self.lanes) + lane, beside

    @property
    def _col_kind(self) -> Term:
        """Few cols are unrolled: conditions on them are decided then."""
        cols = size(self.spec.cols)
        return UNROLLED if cols is not None and cols <= UNROLLED_COLS else SERIAL

    def _row_steps(self, steps: tuple[Let | Store, ...], scope: Scope) -> None:
        code = self.frame.code
        for step in steps:
            if not isinstance(step, Let):
                for lane, _ in self._each_lane(lane_loop((step,), self._varying, scope)):
                    run_steps(code, (step,), self._lane_scope(lane, scope))
                continue
            self.values.declare(code, step, self.width)
            for lane, _ in self._each_lane(lane_loop((step,), self._varying, scope)):
                self.values.put(code, step.name, lane, evaluate(step.value, self._lane_scope(lane, scope)))

    @property
    def _varying(self) -> set[str]:
        """What differs from lane to lane."""
        return {self.spec.rows[-1].name, *self.states, *self.values.arrays}

    def _lane_scope(self, lane: Term, scope: Scope) -> Scope:
        """What names stand for in one lane."""
        known = {name: state.result(self.frame.code.share, lane) for name, state in self.states.items()}
        return scope.with_values({**known, **self.values.at(lane), self.spec.rows[-1].name: self.start + lane})
