"""Map and Pack: every element on its own.

After axes are joined, the innermost runs along the result; it is cut into vectors, and the rest is one shorter vector (vectors
of a fourth, then single elements, where the extent is an argument). The outer axes give the parallel tasks. A copy that turns
rows into columns is done in square tiles, so that a cache line that was read for one row still holds the next ones.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

from tvm import tirx

from uol.backends.cpu.expressions.builder import PARALLEL, SERIAL, Extent, index
from uol.backends.cpu.expressions.dtypes import Term
from uol.backends.cpu.expressions.fast_functions import FAST
from uol.backends.cpu.expressions.spec_expressions import Scope, evaluate
from uol.backends.cpu.expressions.vectorising import lane_loop
from uol.backends.cpu.frame import Frame, open_frame
from uol.backends.cpu.host import Host
from uol.backends.cpu.operands.peeling import stretches
from uol.backends.cpu.schedules.cost import PARALLEL_FROM, parallel_prefix, size, steps_cost
from uol.backends.cpu.schedules.kinds import TILE, Elementwise
from uol.backends.cpu.schedules.nest import enter_nest, product, split
from uol.backends.cpu.statements import run_steps
from uol.codegen.indexing.affine import coefficient
from uol.codegen.indexing.arithmetic import static
from uol.codegen.specs.nodes import Map, Pack, Step, Store
from uol.codegen.specs.steps import split_lets
from uol.codegen.specs.traverse import accesses, steps_of
from uol.ir.program.nodes import Axis, Const

TASKS_PER_CORE = 8
VECTORS = 4
"""Vectors at a time of a dear function, whose steps wait for each other: on 2**21 elements gelu took 0.61 of the time, its
gradient 0.81, exp 0.85 (AVX2, two threads)."""
DEAR = range(8, 128)
"""Units of an element. What costs less waits for memory, what costs more has steps enough that do not wait."""
SHORTER = 4
"""What is left over of a number that is an argument goes in vectors that are so many times shorter."""
ENDS_COST = 40
"""Units that the ends of a row take where they are arguments: 960 rows of 30 elements took 10 us in place of 6."""


def candidates(spec: Map | Pack, host: Host) -> tuple[Elementwise, ...]:
    """One schedule."""
    count = size(spec.index)
    parallel = 0
    if host.cores > 1 and (count is None or count * steps_cost(steps_of(spec)) >= PARALLEL_FROM):
        parallel = 1 if len(spec.index) == 1 else parallel_prefix(spec.index[:-1], TASKS_PER_CORE * host.cores)
    return (Elementwise(_lanes(spec, host), parallel, _tile_axis(spec)),)


def _lanes(spec: Map | Pack, host: Host) -> int:
    """One vector, or several of functions that are polynomials: those of f64 go to the C library, lane by lane. What is dear of
    a copy is where it reads."""
    steps = steps_of(spec)
    is_dear = isinstance(spec, Map) and steps_cost(steps) in DEAR and not any("64" in step.dtype for step in steps)
    return host.lanes * VECTORS if is_dear else host.lanes


def _tile_axis(spec: Map | Pack) -> str:
    """The axis other than the innermost along which a read has stride 1. None whose extent is an argument."""
    if len(spec.index) < 2:
        return ""
    inner = spec.index[-1]
    for access in accesses(spec):
        if isinstance(access, Store) or (coefficient(access.offset, inner.name) or 0) <= 1:
            continue
        for axis in spec.index[:-1]:
            if coefficient(access.offset, axis.name) == 1 and (static(axis.extent) or 0) > 1:
                return axis.name
    return ""


def scheduled(spec: Map | Pack, schedule: Elementwise) -> Term:
    """The kernel as a PrimFunc."""
    frame = open_frame(spec, FAST)
    if not spec.index:
        run_steps(frame.code, steps_of(spec), frame.scope)
        return frame.close()
    inner = spec.index[-1]
    outer = spec.index[:-1]
    if schedule.tile_axis:
        _tiled(frame, spec, schedule)
        return frame.close()
    for parallel in _parallel_if_large(frame, spec, schedule.parallel):
        with ExitStack() as loops:
            scope = enter_nest(frame, loops, outer, min(parallel, len(outer)), frame.scope)
            hoisted, rest = split_lets(steps_of(spec), {inner.name})
            scope = run_steps(frame.code, hoisted, scope)
            row = _Row(frame, inner, schedule.lanes, PARALLEL if parallel and not outer else SERIAL, isinstance(spec, Pack))
            row.write(rest, scope)
    return frame.close()


def _parallel_if_large(frame: Frame, spec: Map | Pack, parallel: int) -> Iterator[int]:
    """How many axes are fused into tasks, in the branch that this holds in: where the size is an argument, a kernel has the
    parallel loop and the serial one."""
    *outer, inner = (frame.extent(a.extent) for a in spec.index)
    rows = product(outer)
    count = rows * inner
    if isinstance(count, int) or not parallel:
        yield parallel
        return
    work = count * index(steps_cost(steps_of(spec))) + rows * index(0 if isinstance(inner, int) else ENDS_COST)
    with frame.code.when(work >= index(PARALLEL_FROM)):
        yield parallel
    with frame.code.when(work < index(PARALLEL_FROM)):
        yield 0


@dataclass(frozen=True, slots=True)
class _Row:
    """The innermost axis, a vector at a time. `is_copy`: what is read lies elsewhere than what is written, so that an element
    may be written twice."""

    frame: Frame
    axis: Axis
    lanes: int
    kind: Term
    is_copy: bool

    def write(self, steps: tuple[Step, ...], scope: Scope) -> None:
        """The steps, stretch by stretch."""
        for stretch in stretches(steps, self.axis.name, self.axis.extent):
            ends = stretch.first, stretch.last
            first, last = (evaluate(end, scope) if static(end) is None else static(end) for end in ends)
            if isinstance(first, int) and isinstance(last, int):
                self._of_number((first, last), stretch.steps, scope)
            else:
                self._of_any_number(index(first), index(last), stretch.steps, scope)

    def _of_number(self, ends: tuple[int, int], steps: tuple[Step, ...], scope: Scope) -> None:
        """From the first index to the last, a vector at a time, then the rest as one shorter vector."""
        first, last = ends
        whole, rest = divmod(last - first, self.lanes)
        if whole:
            self._vectors(index(first), whole, self.lanes, self.kind, steps, scope)
        if rest:
            self._vector(index(first + whole * self.lanes), rest, steps, scope)

    def _of_any_number(self, first: Term, last: Term, steps: tuple[Step, ...], scope: Scope) -> None:
        """The same where the ends are arguments: the rest in shorter vectors, then one by one; of a copy that has one whole
        vector, in another that ends there."""
        code, count = self.frame.code, last - first
        first, rest = self._whole_vectors(first, last, self.lanes, self.kind, steps, scope)
        if not self.is_copy:
            return self._one_by_one(first, last, steps, scope)
        with code.when(tirx.And(rest > 0, count >= index(self.lanes))):
            self._vector(last - index(self.lanes), self.lanes, steps, scope)
        with code.when(count < index(self.lanes)):
            self._one_by_one(first, last, steps, scope)

    def _one_by_one(self, first: Term, last: Term, steps: tuple[Step, ...], scope: Scope) -> None:
        first, rest = self._whole_vectors(first, last, max(1, self.lanes // SHORTER), SERIAL, steps, scope)
        with self.frame.code.loop(self.axis.name, rest) as place:
            run_steps(self.frame.code, steps, scope.with_values({self.axis.name: first + place}))

    def _whole_vectors(
        self, first: Term, last: Term, length: int, kind: Term, steps: tuple[Step, ...], scope: Scope
    ) -> tuple[Term, Term]:
        """As many vectors as there is room for; where they end, and how many elements are left."""
        code = self.frame.code
        first = code.bind("first", first)
        whole = code.bind("whole", tirx.FloorDiv(last - first, index(length)))
        self._vectors(first, whole, length, kind, steps, scope)
        done = code.bind("done", first + whole * index(length))
        return done, last - done

    def _vectors(self, first: Term, count: Extent, length: int, kind: Term, steps: tuple[Step, ...], scope: Scope) -> None:
        with self.frame.code.loop(f"{self.axis.name}_vector", count, kind) as vector:
            self._vector(first + vector * index(length), length, steps, scope)

    def _vector(self, first: Term, length: int, steps: tuple[Step, ...], scope: Scope) -> None:
        with self.frame.code.loop("lane", length, lane_loop(steps, (self.axis.name,), scope)) as lane:
            run_steps(self.frame.code, steps, scope.with_values({self.axis.name: first + lane}))


def _tiled(frame: Frame, spec: Map | Pack, schedule: Elementwise) -> None:
    """Tiles over the innermost axis and the one that reads are contiguous along."""
    code = frame.code
    across = next(a for a in spec.index if a.name == schedule.tile_axis)
    inner = spec.index[-1]
    others = tuple(a for a in spec.index[:-1] if a is not across)
    extent = frame.extent(across.extent)
    assert isinstance(extent, int)
    tiles = Axis(f"{across.name}_tile", _tile_count(extent))
    nest = (*others, tiles)
    for parallel in _parallel_if_large(frame, spec, len(nest) if schedule.parallel else 0):
        with ExitStack() as loops:
            scope = enter_nest(frame, loops, nest, parallel, frame.scope)
            start = scope.values[tiles.name] * index(TILE)
            for length, condition in _tile_lengths(extent, scope.values[tiles.name]):
                with ExitStack() as guarded:
                    if condition is not None:
                        guarded.enter_context(code.when(condition))
                    _one_tile(frame, spec, (inner, across.name, start, length), scope)


def _one_tile(frame: Frame, spec: Map | Pack, tile: tuple[Axis, str, Term, int], scope: Scope) -> None:
    """For each run of `TILE` elements of the result: all rows of the tile."""
    inner, across, start, length = tile
    code = frame.code
    whole, rest = split(frame.extent(inner.extent), TILE)
    lane_kind = lane_loop(steps_of(spec), (inner.name,), scope)
    for first, count, lanes in ((index(0), whole, TILE), (index(whole) * index(TILE), 1, rest)):
        if 0 in [n for n in (count, lanes) if isinstance(n, int)]:
            continue
        kind = lane_kind if isinstance(lanes, int) else SERIAL
        with code.loop("run", count) as run, code.loop("row", length) as row, code.loop("lane", lanes, kind) as lane:
            here = {inner.name: first + run * index(TILE) + lane, across: start + row}
            run_steps(code, steps_of(spec), scope.with_values(here))


def _tile_count(extent: int) -> Const:
    return Const(-(-extent // TILE))


def _tile_lengths(extent: int, number: Term) -> list[tuple[int, Term | None]]:
    """The lengths of tiles and when they apply: whole ones, and the last."""
    whole, rest = divmod(extent, TILE)
    if not rest:
        return [(TILE, None)]
    if not whole:
        return [(rest, None)]
    return [(TILE, number < index(whole)), (rest, number >= index(whole))]
