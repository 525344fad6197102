"""The steps of a sum over panels: k in blocks, and the points of a block in the order in which they are summed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from math import prod

from tvm import tirx

from uol.backends.cpu.expressions.builder import UNROLLED, Extent, index
from uol.backends.cpu.expressions.dtypes import Term
from uol.backends.cpu.expressions.spec_expressions import Scope
from uol.backends.cpu.frame import Frame
from uol.backends.cpu.schedules.nest import enter_nest, flatten, unflatten
from uol.codegen.indexing.arithmetic import static
from uol.ir.program.nodes import Axis

ZERO = index(0)
UNROLL = 4
"""Steps along k that are written out."""


def _extents(axes: tuple[Axis, ...]) -> list[int]:
    return [static(a.extent) or 0 for a in axes]


@dataclass(frozen=True, slots=True)
class Depth:
    """k in blocks: whole outer axes, then one axis in stretches of `chunk`, then inner axes as they are."""

    axes: tuple[Axis, ...]
    split: int
    chunk: int

    @staticmethod
    def of(axes: tuple[Axis, ...], depth: int) -> Depth:
        extents = _extents(axes)
        split = next(i for i in range(len(axes)) if prod(extents[i + 1 :]) <= depth)
        chunk = max(1, depth // prod(extents[split + 1 :]))
        pieces = -(-extents[split] // chunk)
        even = -(-extents[split] // pieces)
        return Depth(axes, split, min(extents[split], -(-even // UNROLL) * UNROLL) if split == len(axes) - 1 else even)

    @property
    def pieces(self) -> int:
        return -(-_extents(self.axes)[self.split] // self.chunk)

    @property
    def count(self) -> int:
        return prod(_extents(self.axes[: self.split])) * self.pieces

    @property
    def most(self) -> int:
        """Steps of a block, at the most."""
        return self.chunk * prod(_extents(self.axes[self.split + 1 :]))

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
        outer, axis, inner = self.axes[: self.split], self.axes[self.split], self.axes[self.split + 1 :]
        extent = _extents((axis,))[0]
        named = [(a.name, e) for a, e in zip(outer, _extents(outer), strict=True)]
        places = unflatten(frame, block, [*named, ("piece", self.pieces)])
        start = code.bind("start", places.pop("piece") * index(self.chunk))
        scope = scope.with_values(places)
        steps: Extent = self.chunk
        if extent % self.chunk:
            steps = code.bind("length", tirx.Min(index(self.chunk), index(extent) - start))
        if not inner:
            for point, run in _runs(frame, scope, axis.name, start, steps, length):
                yield point, point.values[axis.name] - start, run
            return
        with ExitStack() as loops:
            step = loops.enter_context(code.loop(axis.name, steps, start=start))
            scope = enter_nest(frame, loops, inner[:-1], 0, scope.with_values({axis.name: step}))
            for point, run in _runs(frame, scope, inner[-1].name, ZERO, _extents(inner)[-1], length):
                yield point, (step - start) * index(prod(_extents(inner))) + flatten(point, inner), run


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
