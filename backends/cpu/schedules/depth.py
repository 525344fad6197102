"""The steps of a sum over panels: k in blocks, and the points of a block in the order in which they are summed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from tvm import tirx

from uol.backends.cpu.expressions.builder import UNROLLED, Extent, index
from uol.backends.cpu.expressions.dtypes import Term
from uol.backends.cpu.expressions.extents import ceil_div, greatest, least, quotient
from uol.backends.cpu.expressions.spec_expressions import Scope
from uol.backends.cpu.frame import Frame
from uol.backends.cpu.schedules.cost import size
from uol.backends.cpu.schedules.nest import enter_nest, flatten, product, unflatten
from uol.codegen.indexing.arithmetic import static
from uol.ir.program.nodes import Axis

ZERO = index(0)
UNROLL, MOST_UNROLL = 4, 8
"""Steps along k that are written out: of a short axis as many as divide it, if any, up to the larger number. What is left over
is run step by step, and LLVM would have more in flight there than there are registers."""


@dataclass(frozen=True, slots=True)
class Depth:
    """k in blocks: whole axes, `outer` of them, then one of `extent` in `pieces` of `chunk` steps, then inner axes as they
    are, whose extents are numbers. A block has `most` steps at the most, and so many `lines`, steps of the axis before the one
    that is cut, where one of any extent may be short."""

    axes: tuple[Axis, ...]
    outer: tuple[Extent, ...]
    extent: Extent
    chunk: Extent
    pieces: Extent
    most: int
    lines: Extent = 1

    @staticmethod
    def of(frame: Frame, axes: tuple[Axis, ...], depth: int, together: int = UNROLL, *, by_lines: bool = False) -> Depth:
        """Blocks of `depth` steps or less, each about as long as the others. Steps of an only axis that go `together` are in
        one block. `by_lines`: may a block have several steps of the axis before the one that is cut?"""
        split = next(i for i in range(len(axes)) if _fits(axes[i + 1 :], depth))
        outer = tuple(frame.extent(a.extent) for a in axes[:split])
        extent, inner = frame.extent(axes[split].extent), size(axes[split + 1 :]) or 1
        longest, step = max(1, depth // inner), together if split == len(axes) - 1 else 1
        even = ceil_div(extent, greatest(1, ceil_div(extent, longest)))
        chunk = frame.size("chunk", greatest(1, ceil_div(even, step) * step))
        if isinstance(extent, int):
            chunk = least(chunk, extent)
        most = chunk if isinstance(chunk, int) else -(-longest // step) * step
        lines: Extent = 1
        if by_lines and outer and split == len(axes) - 1 and not isinstance(extent, int):
            lines = frame.size("lines", greatest(1, least(outer[-1], quotient(depth, greatest(1, extent)))))
        return Depth(axes, outer, extent, chunk, frame.size("pieces", ceil_div(extent, chunk)), most * inner, lines)

    @property
    def count(self) -> Extent:
        """How many blocks there are: one at least, which may have no step."""
        return greatest(1, product([*self._outer_blocks, self.pieces]))

    @property
    def _axis_of_lines(self) -> str:
        """The name of the axis before the one that is cut."""
        return self.axes[len(self.outer) - 1].name

    @property
    def _outer_blocks(self) -> tuple[Extent, ...]:
        """Of each outer axis the steps that blocks have apart."""
        if isinstance(self.lines, int):
            return self.outer
        return (*self.outer[:-1], ceil_div(self.outer[-1], self.lines))

    def steps(self, frame: Frame, scope: Scope, block: Term) -> Iterator[tuple[Scope, Term]]:
        """The points of a block, and how many are before each. What is written for one is run for all."""
        for point, before, run in self.runs(frame, scope, block, self.unroll):
            with frame.code.loop("step", run, UNROLLED) as step:
                here = point.with_values({self.axes[-1].name: point.values[self.axes[-1].name] + step})
                yield here, before + step

    def runs(
        self, frame: Frame, scope: Scope, block: Term, length: int, *shorter: int, overlap: bool = False
    ) -> Iterator[tuple[Scope, Term, int]]:
        """The points of a block by runs along the last axis: where each begins, how many are before it, and how long it is:
        `length` steps, then one by one what is left; or as many of each of the `shorter` runs as fit what the longer left.
        Where they may `overlap`, those of an axis whose extent is an argument are of the longest that fits at all, and the last
        ends with the piece: some points come twice."""
        code = frame.code
        axis, inner = self.axes[len(self.outer)], self._inner
        scope, start, steps = self._piece(frame, scope, block)
        if not inner:
            cut = _overlapping_runs if overlap and not isinstance(steps, int) else _runs
            with self._lines_of(frame, scope) as (line, here):
                for point, run in cut(frame, here, axis.name, (start, steps), length, *shorter):
                    yield point, line * index(steps) + (point.values[axis.name] - start), run
            return
        with ExitStack() as loops:
            step = loops.enter_context(code.loop(axis.name, steps, start=start))
            scope = enter_nest(frame, loops, inner[:-1], 0, scope.with_values({axis.name: step}))
            last = static(inner[-1].extent) or 0
            for point, run in _runs(frame, scope, inner[-1].name, (ZERO, last), length, *shorter):
                yield point, (step - start) * index(size(inner) or 0) + flatten(frame, point, inner), run

    @contextmanager
    def _lines_of(self, frame: Frame, scope: Scope) -> Iterator[tuple[Term, Scope]]:
        """A loop over the lines of a block, the first of which the scope is at: how many are before one, and its scope."""
        if isinstance(self.lines, int):
            yield ZERO, scope
            return
        name = self._axis_of_lines
        count = frame.code.bind("count", tirx.Min(self.lines, index(self.outer[-1]) - scope.values[name]))
        with frame.code.loop("line", count) as line:
            yield line, scope.with_values({name: scope.values[name] + line})

    @contextmanager
    def points(self, frame: Frame, scope: Scope, block: Term) -> Iterator[Scope]:
        """Loops over the points of a block, of those alone that are within the limits of the axis that is cut."""
        axis = self.axes[len(self.outer)]
        scope, start, steps = self._piece(frame, scope, block)
        if axis.name in scope.limits:
            first, end = scope.limits[axis.name]
            begin = frame.code.bind("begin", tirx.Max(start, first))
            steps = frame.code.bind("within", tirx.Max(tirx.Min(start + steps, end) - begin, ZERO))
            start = begin
        with ExitStack() as loops:
            step = loops.enter_context(frame.code.loop(axis.name, steps, start=start))
            yield enter_nest(frame, loops, self._inner, 0, scope.with_values({axis.name: step}))

    def first(self, frame: Frame, scope: Scope, block: Term) -> tuple[Scope, Extent]:
        """The first point of a block, and how many steps it has."""
        scope, start, steps = self._piece(frame, scope, block)
        inner = {axis.name: ZERO for axis in self._inner}
        return scope.with_values({self.axes[len(self.outer)].name: start, **inner}), steps * (size(self._inner) or 1)

    def length(self, frame: Frame, scope: Scope, block: Term) -> Extent:
        """How many steps a block has."""
        _, _, steps = self._piece(frame, scope, block)
        return steps * (size(self._inner) or 1)

    @property
    def unroll(self) -> int:
        """How many steps along the last axis are written out."""
        extent = static(self.axes[-1].extent) if self._inner else None
        if extent is None or extent % UNROLL == 0:
            return UNROLL
        return next((n for n in range(MOST_UNROLL, 1, -1) if extent % n == 0), UNROLL)

    @property
    def _inner(self) -> tuple[Axis, ...]:
        return self.axes[len(self.outer) + 1 :]

    def _piece(self, frame: Frame, scope: Scope, block: Term) -> tuple[Scope, Term, Extent]:
        """Where the outer axes are in a block; the first index of the axis that is cut, and how many there are."""
        named = [(axis.name, extent) for axis, extent in zip(self.axes, self._outer_blocks, strict=False)]
        places = unflatten(frame, block, [*named, ("piece", self.pieces)])
        if not isinstance(self.lines, int):
            name = self._axis_of_lines
            places[name] = frame.code.bind(name, places[name] * self.lines)
        start = frame.code.bind("start", places.pop("piece") * index(self.chunk))
        return scope.with_values(places), start, self._steps_from(frame, start)

    def _steps_from(self, frame: Frame, start: Term) -> Extent:
        """Steps along the axis that is cut, from `start` on; none where an outer axis has none."""
        length = self.chunk
        if not isinstance(self.extent, int) or not isinstance(length, int) or self.extent % length:
            length = frame.code.bind("length", tirx.Min(index(length), index(self.extent) - start))
        outer = product(list(self.outer))
        return length if isinstance(outer, int) else frame.code.bind("length", tirx.Select(outer > 0, index(length), ZERO))


def _fits(axes: tuple[Axis, ...], depth: int) -> bool:
    """Are there no more steps along the axes, whatever the sizes of a call are?"""
    steps = size(axes)
    return steps is not None and steps <= depth


def _runs(
    frame: Frame, scope: Scope, name: str, piece: tuple[Term, Extent], length: int, *shorter: int
) -> Iterator[tuple[Scope, int]]:
    """Runs of a piece along an axis, which is where it starts and how many steps it has."""
    code, (start, left) = frame.code, piece
    if isinstance(left, int) and left < length and not shorter:
        yield scope.with_values({name: start}), left
        return
    end = start + index(left)
    for run in (length, *shorter):
        whole = left // run if isinstance(left, int) else code.bind("whole", tirx.FloorDiv(left, index(run)))
        if not (isinstance(whole, int) and whole == 0):
            with code.loop(f"{name}_run", whole) as number:
                yield scope.with_values({name: start + number * index(run)}), run
        if isinstance(left, int) and left % run == 0:
            return
        start = code.bind("done", start + index(whole) * index(run))
        left = left % run if isinstance(left, int) else end - start
    if not shorter:
        with code.loop(f"{name}_rest", end - start) as step:
            yield scope.with_values({name: start + step}), 1


def _overlapping_runs(
    frame: Frame, scope: Scope, name: str, piece: tuple[Term, Extent], *lengths: int
) -> Iterator[tuple[Scope, int]]:
    """The same of the longest that is no longer than the piece, the last run ending with it."""
    code, start, steps, at_most = frame.code, piece[0], index(piece[1]), None
    for length in lengths:
        fits = steps >= index(length) if at_most is None else tirx.And(steps >= index(length), steps < index(at_most))
        runs = tirx.Select(fits, ceil_div(steps, length), ZERO)
        with code.loop(f"{name}_run", runs) as number:
            first = tirx.Min(number * index(length), steps - index(length))
            yield scope.with_values({name: code.bind("first", start + first)}), length
        at_most = length
