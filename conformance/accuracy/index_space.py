"""The index space that an expression is evaluated over: axes with ranges, one array dimension each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import prod

import numpy as np
from numpy.typing import NDArray

from uol.ir.errors import UolError
from uol.ir.program.nodes import Axis, Const, Expr


@dataclass(frozen=True, slots=True)
class Range:
    """start <= name < stop."""

    name: str
    start: int
    stop: int

    @property
    def size(self) -> int:
        return self.stop - self.start


@dataclass(frozen=True, slots=True)
class Frame:
    """Ranges in order. Arrays over a frame have one dimension for each of them, of size 1 where they do not vary."""

    ranges: tuple[Range, ...] = ()

    @staticmethod
    def of(axes: tuple[Axis, ...]) -> Frame:
        return Frame(tuple(Range(a.name, 0, extent_of(a.extent)) for a in axes))

    def __add__(self, other: Frame) -> Frame:
        return Frame(self.ranges + other.ranges)

    def without(self, name: str) -> Frame:
        """The frame with one range left out."""
        return Frame(tuple(r for r in self.ranges if r.name != name))

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(r.size for r in self.ranges)

    @property
    def size(self) -> int:
        return prod(self.shape)

    def indices(self, name: str) -> NDArray[np.int64] | None:
        """The values of an axis, shaped to broadcast over the frame; None where there is no such axis. Inner axes hide
        outer ones of the same name."""
        for place in range(len(self.ranges) - 1, -1, -1):
            found = self.ranges[place]
            if found.name == name:
                shape = [1] * len(self.ranges)
                shape[place] = found.size
                return np.arange(found.start, found.stop, dtype=np.int64).reshape(shape)
        return None

    def pieces(self, limit: int) -> Iterator[tuple[int, Frame]]:
        """The frame cut along its longest axis so that a piece has about `limit` elements, with the place of that axis."""
        if not self.ranges or self.size <= limit:
            yield 0, self
            return
        place = max(range(len(self.ranges)), key=lambda i: self.ranges[i].size)
        whole = self.ranges[place]
        step = max(1, whole.size * limit // self.size)
        for start in range(whole.start, whole.stop, step):
            piece = replace(whole, start=start, stop=min(start + step, whole.stop))
            yield place, Frame((*self.ranges[:place], piece, *self.ranges[place + 1 :]))


def extent_of(expr: Expr) -> int:
    """The value of an extent that is known."""
    if not isinstance(expr, Const):
        raise UolError("a golden value needs every dim", hint="instantiate the operator with all its dims")
    return int(expr.value)
