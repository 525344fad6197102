"""The steps of a sum over panels: k in blocks, and the points of a block in the order in which they are summed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

from tvm import tirx

from uol.backends.cpu.expressions.builder import UNROLLED, Extent, index
from uol.backends.cpu.expressions.dtypes import Term
from uol.backends.cpu.expressions.spec_expressions import Scope
from uol.backends.cpu.frame import Frame
from uol.backends.cpu.schedules.cost import size
from uol.backends.cpu.schedules.extents import ceil_div, greatest, least
from uol.backends.cpu.schedules.nest import enter_nest, flatten, product, unflatten
from uol.codegen.indexing.arithmetic import static
from uol.ir.program.nodes import Axis

ZERO = index(0)
UNROLL = 4
"""Steps along k that are written out."""


@dataclass(frozen=True, slots=True)
class Depth:
    """k in blocks: whole axes, `outer` of them, then one of `extent` in `pieces` of `chunk` steps, then inner axes as they
    are, whose extents are numbers. A block has `most` steps at the most."""

    axes: tuple[Axis, ...]
    outer: tuple[Extent, ...]
    extent: Extent
    chunk: Extent
    pieces: Extent
    most: int

    @staticmethod
    def of(frame: Frame, axes: tuple[Axis, ...], depth: int) -> Depth:
        """Blocks of `depth` steps or less, each about as long as the others."""
        split = next(i for i in range(len(axes)) if _fits(axes[i + 1 :], depth))
        outer = tuple(frame.extent(a.extent) for a in axes[:split])
        extent, inner = frame.extent(axes[split].extent), size(axes[split + 1 :]) or 1
        longest, step = max(1, depth // inner), UNROLL if split == len(axes) - 1 else 1
        even = ceil_div(extent, greatest(1, ceil_div(extent, longest)))
        chunk = frame.size("chunk", greatest(1, ceil_div(even, step) * step))
        if isinstance(extent, int):
            chunk = least(chunk, extent)
        most = chunk if isinstance(chunk, int) else -(-longest // step) * step
        return Depth(axes, outer, extent, chunk, frame.size("pieces", ceil_div(extent, chunk)), most * inner)

    @property
    def count(self) -> Extent:
        """How many blocks there are: one at least, which may have no step."""
        return greatest(1, product([*self.outer, self.pieces]))

    def steps(self, frame: Frame, scope: Scope, block: Term) -> Iterator[tuple[Scope, Term]]:
        """The points of a block, and how many are before each. What is written for one is run for all."""
        for point, before, run in self.runs(frame, scope, block, UNROLL):
            with frame.code.loop("step", run, UNROLLED) as step:
                here = point.with_values({self.axes[-1].name: point.values[self.axes[-1].name] + step})
                yield here, before + step

    def runs(self, frame: Frame, scope: Scope, block: Term, length: int) -> Iterator[tuple[Scope, Term, int]]:
        """The points of a block by runs along the last axis: where each begins, how many are before it, and how long it is:
        `length` steps, then one by one what is left."""
        code = frame.code
        split = len(self.outer)
        axis, inner = self.axes[split], self.axes[split + 1 :]
        named = [(a.name, e) for a, e in zip(self.axes[:split], self.outer, strict=True)]
        places = unflatten(frame, block, [*named, ("piece", self.pieces)])
        start = code.bind("start", places.pop("piece") * index(self.chunk))
        scope = scope.with_values(places)
        steps = self._length(frame, start)
        if not inner:
            for point, run in _runs(frame, scope, axis.name, start, steps, length):
                yield point, point.values[axis.name] - start, run
            return
        with ExitStack() as loops:
            step = loops.enter_context(code.loop(axis.name, steps, start=start))
            scope = enter_nest(frame, loops, inner[:-1], 0, scope.with_values({axis.name: step}))
            for point, run in _runs(frame, scope, inner[-1].name, ZERO, static(inner[-1].extent) or 0, length):
                yield point, (step - start) * index(size(inner) or 0) + flatten(frame, point, inner), run

    def _length(self, frame: Frame, start: Term) -> Extent:
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


def _runs(frame: Frame, scope: Scope, name: str, start: Term, steps: Extent, length: int) -> Iterator[tuple[Scope, int]]:
    """Runs of `length` steps from `start` on, then what is left; of fewer steps, one run."""
    code = frame.code
    if isinstance(steps, int) and steps < length:
        yield scope.with_values({name: start}), steps
        return
    whole = steps // length if isinstance(steps, int) else code.bind("whole", tirx.FloorDiv(steps, index(length)))
    with code.loop(f"{name}_run", whole) as run:
        yield scope.with_values({name: start + run * index(length)}), length
    if isinstance(steps, int) and steps % length == 0:
        return
    done = code.bind("done", start + index(whole) * index(length))
    with code.loop(f"{name}_rest", start + index(steps) - done) as step:
        yield scope.with_values({name: done + step}), 1
