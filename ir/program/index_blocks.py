"""A box of index values: the part of an iteration space that is evaluated at once."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Block:
    """Index `names[n]` runs over starts[n] <= i < stops[n]. Arrays over a block have one dimension an index, in order;
    one that does not depend on an index has size 1 there."""

    names: tuple[str, ...]
    starts: tuple[int, ...]
    stops: tuple[int, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(stop - start for start, stop in zip(self.starts, self.stops, strict=True))

    @property
    def slices(self) -> tuple[slice, ...]:
        return tuple(slice(start, stop) for start, stop in zip(self.starts, self.stops, strict=True))

    def index(self, name: str) -> NDArray[np.int64]:
        """The values of one index, along its own dimension."""
        at = self.names.index(name)
        shape = (1,) * at + (-1,) + (1,) * (len(self.names) - at - 1)
        return np.arange(self.starts[at], self.stops[at], dtype=np.int64).reshape(shape)

    def extend(self, names: tuple[str, ...], extents: tuple[int, ...]) -> Block:
        """The block with further indices inside."""
        return Block(self.names + names, self.starts + (0,) * len(names), self.stops + extents)

    def without(self, name: str) -> Block:
        """The block with one index left out."""
        at = self.names.index(name)
        rest = [t[:at] + t[at + 1 :] for t in (self.starts, self.stops)]
        return Block(self.names[:at] + self.names[at + 1 :], rest[0], rest[1])

    def split(self) -> tuple[Block, Block] | None:
        """Two halves along the first index that has more than one value; None where there is none."""
        for at, (start, stop) in enumerate(zip(self.starts, self.stops, strict=True)):
            if stop - start > 1:
                middle = (start + stop) // 2
                first = replace(self, stops=(*self.stops[:at], middle, *self.stops[at + 1 :]))
                return first, replace(self, starts=(*self.starts[:at], middle, *self.starts[at + 1 :]))
        return None


def whole(names: tuple[str, ...], extents: tuple[int, ...]) -> Block:
    """The block of all values."""
    return Block(names, (0,) * len(names), extents)
