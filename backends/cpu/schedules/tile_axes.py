"""One side of a tiled product, its m or its n axes, as tiles of the innermost.

a number     whole tiles, then one that is cut short
an argument  tiles of a few lengths, each written once: as long as fits, and the last one ends where the axis does. It
             overlaps the one before it; what both compute, from the same numbers in the same order, is the same. Of one
             length alone where the extent is known to be no shorter
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import pairwise
from math import prod

from tvm import tirx

from uol.backends.cpu.expressions.builder import index
from uol.backends.cpu.expressions.dtypes import Term
from uol.backends.cpu.expressions.spec_expressions import Scope
from uol.backends.cpu.frame import Frame
from uol.codegen.indexing.arithmetic import ceil_div, static
from uol.ir.program.nodes import Axis, Call, Const, Expr
from uol.ir.types import INDEX

NOWHERE = Axis("", Const(1))
"""Stands for the rows or columns of a product that has one only."""


@dataclass(frozen=True, slots=True)
class Side:
    """The innermost `axis` is cut into tiles, the `outer` ones are walked as they are. `lengths` of tiles, descending: the
    first where the extent is a number, any of them where it is an argument. With `overlaps`, tiles of a number overlap, too,
    rather than be cut short: where the other side has many lengths, they are not written twice."""

    outer: tuple[Axis, ...]
    axis: Axis
    lengths: tuple[int, ...]
    overlaps: bool = False

    @staticmethod
    def of(axes: tuple[Axis, ...], step: int, *smaller: int, overlaps: bool = False) -> Side:
        """Tiles of `step`, or of fewer where there are fewer: of an argument, `smaller` ones, of which the last is 1. Without
        any, the argument is `step` or more."""
        axis = axes[-1] if axes else NOWHERE
        extent = static(axis.extent)
        if extent is not None:
            return Side(axes[:-1], axis, (min(step, max(extent, 1)),), overlaps)
        return Side(axes[:-1], axis, (step, *sorted({n for n in smaller if 0 < n < step}, reverse=True)))

    @property
    def tiles(self) -> Axis:
        extent = static(self.axis.extent)
        name = f"{self.axis.name}_tile"
        return Axis(name, self._tile_count() if extent is None else Const(-(-extent // self.lengths[0])))

    @property
    def count(self) -> int | None:
        """How many tiles there are, over the outer axes too; None where that is not known."""
        extents = [static(a.extent) for a in (*self.outer, self.tiles)]
        return None if None in extents else max(1, prod(e for e in extents if e is not None))

    def pieces(self, frame: Frame, scope: Scope) -> Iterator[tuple[Term, int]]:
        """(first index, length) of a tile: whole ones, then the last one. What is written for a piece is run for the
        tiles of that length."""
        number = scope.values[self.tiles.name]
        extent = static(self.axis.extent)
        if len(self.lengths) > 1:
            yield from self._pieces_of_any_size(frame, number)
            return
        (step,) = self.lengths
        if extent is None or (extent % step and self.overlaps):
            last = index(frame.extent(self.axis.extent)) - index(step)
            yield frame.code.hold("first", tirx.Min(number * index(step), last)), step
            return
        whole, rest = divmod(extent, step)
        with ExitStack() as condition:
            if whole and rest:
                condition.enter_context(frame.code.when(number < index(whole)))
            if whole:
                yield number * index(step), step
        with ExitStack() as condition:
            if whole and rest:
                condition.enter_context(frame.code.when(number >= index(whole)))
            if rest:
                yield index(whole * step), rest

    def _tile_count(self) -> Expr:
        """The extent over the greatest length that fits, rounded up."""
        extent = self.axis.extent
        count = ceil_div(extent, self.lengths[-1])
        for length in reversed(self.lengths[:-1]):
            tiles = ceil_div(extent, length)
            fits = Call(">=", (extent, Const(length)), "bool")
            count = Call("select", (fits, tiles, count), INDEX)
        return count

    def _pieces_of_any_size(self, frame: Frame, number: Term) -> Iterator[tuple[Term, int]]:
        """All tiles are of the greatest length that fits; the last one is of the least that reaches to the end. Numbers are
        held in memory, which LLVM undoes: TVM would reason about them in all that is unrolled."""
        code = frame.code
        extent = code.hold("extent", index(frame.extent(self.axis.extent)))
        longest = index(1)
        for length in reversed(self.lengths[:-1]):
            longest = tirx.Select(extent >= index(length), index(length), longest)
        longest = code.hold("longest", longest)
        start = code.hold("start", number * longest)
        left = code.hold("left", tirx.Min(extent - start, longest))
        for length, shorter in pairwise((*self.lengths, 0)):
            with code.when(tirx.And(left <= index(length), left > index(shorter))):
                yield code.hold("first", tirx.Min(start, extent - index(length))), length
