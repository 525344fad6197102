"""Values that data gives, known by where they lie: what is looked up at one place is one value, whatever it is.

    w[at[s] * 1024 + d]

`at[s]` is not known, but lanes of one s have one value of it, and d says how far their elements lie from one another: so many
sectors in a row, and another where it may begin within one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from math import gcd

import numpy as np
from numpy.typing import NDArray

from uol.backends.simt.machine.limits import SECTOR_BYTES
from uol.backends.simt.reading.counts import Ints
from uol.ir.integers.intervals import EVERYTHING, Interval

Mask = NDArray[np.bool_]
ZERO = np.zeros((1, 1), np.int64)
LARGEST_KEY = 1 << 62
NOBODY = np.iinfo(np.int64).min
"""The key of a lane that makes no access; no other has it."""


@dataclass(frozen=True, slots=True, eq=False)
class Looked:
    """`value * scale + offset`: the value lies in `within`, and is one for all lanes of one key. Keys of two sources have
    nothing to do with one another."""

    source: str
    key: Ints
    scale: int = 1
    offset: Ints = field(default_factory=lambda: ZERO)
    within: Interval = EVERYTHING

    @property
    def range(self) -> Interval:
        """Where all of it lies."""
        offset = Interval(int(self.offset.min()), int(self.offset.max())) if self.offset.size else Interval(0, 0)
        return self.within * Interval(self.scale, self.scale) + offset

    def after_turns(self, loop: str) -> Looked:
        """So many steps further, as many for all lanes: the turn of a loop at which they are together."""
        within = self.within * Interval(self.scale, self.scale)
        return Looked(f"{self.source} * {self.scale} {loop}", self.key, 1, self.offset, Interval(within.low, None))


def found_by(name: str, args: Sequence[Ints | Interval | Looked], within: Interval = EVERYTHING) -> Looked | None:
    """What a function gives, of which nothing is known but that it is one value where its arguments are. None where nothing is
    known of these.

    >>> found = found_by("at", [np.array([[4, 4, 5, 5]])])
    >>> found.source, found.key
    ('at', array([[4, 4, 5, 5]]))
    """
    parts: list[Ints] = []
    for arg in args:
        if isinstance(arg, Interval):
            return None
        if isinstance(arg, Looked):
            name += f" ({arg.source} * {arg.scale})"
            parts += (arg.key, arg.offset)
        else:
            parts.append(arg)
    first, *others = parts
    key = first
    for part in others:
        low, span = int(part.min()), int(np.ptp(part)) + 1
        if (int(np.abs(key).max()) + 1) * span > LARGEST_KEY:
            return None
        name += f" {low}:{span}"  # one number stands for the same values only where it is put together in the same way
        key = key * span + part
    return Looked(name, key, within=within)


def linear(fn: str, args: Sequence[Ints | Interval | Looked]) -> Looked | None:
    """An operation on a value that was looked up and a known one; None where what it gives is not of that kind."""
    match fn, args:
        case "+", [Looked() as found, np.ndarray() as known] | [np.ndarray() as known, Looked() as found]:
            return replace(found, offset=found.offset + known)
        case "-", [Looked() as found, np.ndarray() as known]:
            return replace(found, offset=found.offset - known)
        case "*", [Looked() as found, np.ndarray() as known] | [np.ndarray() as known, Looked() as found]:
            factor = int(known.flat[0]) if known.size else 0
            if (known == factor).all():
                return replace(found, scale=found.scale * factor, offset=found.offset * factor)
    return None


def most_sectors(accesses: Sequence[tuple[Looked, Mask]], element_bytes: int, width: int) -> Ints:
    """How many sectors the lanes of each warp may touch together at most, summed over the warps of each block. An access of
    several elements at once is taken to lie within a sector.

    >>> lanes, everyone = np.arange(32).reshape(1, 32), np.ones((1, 32), bool)
    >>> rows = found_by("at", [lanes // 16])
    >>> [most_sectors([(linear("+", [replace(rows, scale=n), lanes % 16]), everyone)], 4, 32) for n in (64, 63)]
    [array([4]), array([6])]
    """
    of_kind: dict[tuple[str, int], list[tuple[Looked, Mask]]] = {}
    for access in accesses:
        of_kind.setdefault((access[0].source, access[0].scale), []).append(access)
    counts = [_of_kind(each, scale * element_bytes, element_bytes, width) for (_, scale), each in of_kind.items()]
    return np.asarray(sum(counts))


def _of_kind(accesses: Sequence[tuple[Looked, Mask]], stride: int, element_bytes: int, width: int) -> Ints:
    """Of one source. Where within a sector the values of a key begin is the same for all of its lanes: each place that `stride`
    bytes allow is tried, and the worst counts."""
    shape = accesses[0][1].shape
    warps = shape[0], -1, width
    keys = np.concatenate([np.where(mask, found.key, NOBODY).reshape(warps) for found, mask in accesses], axis=2)
    places = [np.broadcast_to(found.offset * element_bytes, shape).reshape(warps) for found, _ in accesses]
    in_order = _ordered(keys, np.concatenate(places, axis=2))
    row, place = (part.reshape(-1) for part in in_order)
    begins = np.ones(len(row), bool)
    begins[1:] = row[1:] != row[:-1]
    begins[:: in_order[0].shape[2]] = True
    (first,) = begins.nonzero()
    most = np.zeros(len(first), np.int64)
    for shift in range(0, SECTOR_BYTES, gcd(stride, SECTOR_BYTES)):
        sector = (place + shift) // SECTOR_BYTES
        differs = begins.copy()
        differs[1:] |= sector[1:] != sector[:-1]
        most = np.maximum(most, np.add.reduceat(differs, first, dtype=np.int64))
    most[row[first] == NOBODY] = 0
    blocks = np.zeros(shape[0], np.int64)
    np.add.at(blocks, first // (len(row) // shape[0]), most)
    return blocks


def _ordered(keys: Ints, places: Ints) -> tuple[Ints, Ints]:
    """Of each warp by keys, and by places where these are the same."""
    key, place = keys.reshape(-1), places.reshape(-1)
    is_descent = (key[1:] < key[:-1]) | ((key[1:] == key[:-1]) & (place[1:] < place[:-1]))
    if not is_descent.any():
        return keys, places
    order = np.lexsort((places, keys), axis=2)
    return np.take_along_axis(keys, order, 2), np.take_along_axis(places, order, 2)
