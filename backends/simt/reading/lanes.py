"""Values and conditions over the lanes of some blocks: arrays of (blocks, threads), or what is known of data.

A value that depends on the data of a launch is an interval, or known by where it was looked up (`lookups.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from uol.backends.simt.machine.limits import SECTOR_BYTES
from uol.backends.simt.reading.counts import Ends, Ints
from uol.backends.simt.reading.lookups import Looked, Mask, linear, most_sectors
from uol.ir.integers.intervals import EVERYTHING, Interval

Value = Ints | Interval | Looked
"""Broadcast over (blocks, threads)."""


def range_of(value: Value) -> Interval:
    """Where all of it lies."""
    if isinstance(value, Interval):
        return value
    if isinstance(value, Looked):
        return value.range
    return Interval(int(value.min()), int(value.max())) if value.size else Interval(0, 0)


@dataclass(frozen=True)
class Active:
    """The lanes that carry out what comes next: those that surely do, those that may. `least` and `most`: how often they do, in
    loops that are looked at once."""

    sure: Mask
    maybe: Mask
    least: int = 1
    most: int = 1

    @cached_property
    def lanes(self) -> Ends:
        """Executions by lanes, of each block."""
        return lanes_of(self.sure) * self.least, lanes_of(self.maybe) * self.most

    @cached_property
    def _warps(self) -> dict[int, Ends]:
        return {}

    def warps(self, width: int) -> Ends:
        """Executions by warps of so many lanes."""
        if width not in self._warps:
            self._warps[width] = warps_of(self.sure, width) * self.least, warps_of(self.maybe, width) * self.most
        return self._warps[width]

    @cached_property
    def blocks(self) -> Ends:
        return blocks_of(self.sure) * self.least, blocks_of(self.maybe) * self.most

    @cached_property
    def is_empty(self) -> bool:
        return not self.maybe.any()

    def where(self, condition: Value, *, holds: bool = True) -> Active:
        """The lanes for which a condition holds, or does not."""
        if not isinstance(condition, np.ndarray):
            return replace(self, sure=np.zeros_like(self.sure))
        wanted = (condition != 0) == holds
        if wanted.all():
            return self
        return replace(self, sure=self.sure & wanted, maybe=self.maybe & wanted)

    def turns(self, least: int, most: int) -> Active:
        """In a loop of so many turns, one of which stands for all."""
        return replace(self, least=self.least * least, most=self.most * most)


def lanes_of(mask: Mask) -> Ints:
    """Of each block, the lanes of the mask."""
    found: Ints = mask.sum(axis=1, dtype=np.int64)
    return found


def blocks_of(mask: Mask) -> Ints:
    """1 for a block with a lane of the mask, else 0."""
    found: Ints = np.asarray(mask.any(axis=1), np.int64)
    return found


def warps_of(mask: Mask, width: int) -> Ints:
    """Of each block, the warps with a lane of the mask."""
    found: Ints = mask.reshape(len(mask), -1, width).any(axis=2).sum(axis=1)
    return found


Touched = tuple[Value, Mask, Mask]
"""An access by lanes: the element, who surely makes it, and who may."""


def is_one_place(place: Value, width: int) -> bool:
    """Does each warp of so many lanes ask for one element, which it gets in one go?"""
    if isinstance(place, Interval):
        return place.low is not None and place.low == place.high
    if isinstance(place, Looked):
        return is_one_place(place.key, width) and is_one_place(place.offset, width)
    warps = place.reshape(len(place), -1, width) if place.shape[1] > 1 else place[..., None]
    return bool((warps == warps[..., :1]).all())


def sectors(accesses: Sequence[Touched], element_bytes: int, width: int) -> Ends:
    """How many sectors of a buffer the lanes of each warp touch together, summed over the warps of each block. Where data says
    the element it is one a warp at least; at most what places looked up have room for, or one a lane.

    >>> index, everyone = np.arange(64).reshape(1, 64), np.ones((1, 64), bool)
    >>> sectors([(index, everyone, everyone)], 4, 32), sectors([(index * 8, index < 4, everyone)], 4, 32)
    ((array([8]), array([8])), (array([4]), array([64])))
    """
    known = [(a * element_bytes // SECTOR_BYTES, s, m) for a, s, m in accesses if isinstance(a, np.ndarray)]
    unknown = [(a, s, m) for a, s, m in accesses if not isinstance(a, np.ndarray)]
    shape = accesses[0][2].shape
    most = _different([(a, m) for a, _, m in known], width, shape)
    exact = all(s is m or bool((s == m).all()) for _, s, m in known)
    least = most if exact else _different([(a, s) for a, s, _ in known], width, shape)
    looked = [(place, maybe) for place, _, maybe in unknown if isinstance(place, Looked)]
    if looked:
        most = most + most_sectors(looked, element_bytes, width)
    for place, sure, maybe in unknown:
        least = np.maximum(least, warps_of(sure, width))
        most = most + lanes_of(maybe) if isinstance(place, Interval) else most
    return least, most


def _different(known: Sequence[tuple[Ints, Mask]], width: int, shape: tuple[int, ...]) -> Ints:
    if not known:
        return np.zeros(shape[0], np.int64)
    places = [(np.broadcast_to(a, shape) if m.all() else np.where(m, a, -1)).reshape(shape[0], -1, width) for a, m in known]
    touched = np.ascontiguousarray(places[0]) if len(places) == 1 else np.concatenate(places, axis=2)
    if _beside(touched, np.less).any():
        touched = np.sort(touched, axis=2)
    different = _beside(touched, np.not_equal)
    different[:, :, 0] = True
    return lanes_of((different & (touched >= 0)).reshape(shape[0], -1))


def _beside(warps: Ints, compare: Callable[[Ints, Ints], Mask]) -> Mask:
    """How each number compares with the one before it in its warp; the first compares with none. All warps lie in one row here:
    numpy goes along many short ones ten times slower."""
    row = warps.reshape(-1)
    found = np.zeros(warps.shape, bool)
    found.reshape(-1)[1:] = compare(row[1:], row[:-1])
    found[:, :, 0] = False
    return found


ON_ARRAYS: Mapping[str, Callable[..., Ints]] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.floor_divide,
    "%": np.remainder,
    "floor_div": np.floor_divide,
    "floor_mod": np.remainder,
    "min": np.minimum,
    "max": np.maximum,
    "<": np.less,
    "<=": np.less_equal,
    ">": np.greater,
    ">=": np.greater_equal,
    "==": np.equal,
    "!=": np.not_equal,
    "-_": np.negative,
    "!_": np.logical_not,
    "abs": np.abs,
    "&": np.bitwise_and,
    "|": np.bitwise_or,
    "^": np.bitwise_xor,
    "<<": np.left_shift,
    ">>": np.right_shift,
}
"""What operations on integers give; a quotient in the text is of numbers that are never negative, or floors by its name.
One by zero is zero."""

ON_INTERVALS: Mapping[str, Callable[[Interval, Interval], Interval]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a + b * Interval(-1, -1),
    "*": lambda a, b: a * b,
    "min": Interval.minimum,
    "max": Interval.maximum,
    "/": Interval.floor_divide,
    "%": Interval.modulo,
}


def computed(fn: str, args: tuple[Value, ...]) -> Value:
    """The value of an operation on values."""
    arrays = [a for a in args if isinstance(a, np.ndarray)]
    if len(arrays) == len(args) and fn in ON_ARRAYS:
        return np.asarray(ON_ARRAYS[fn](*arrays)).astype(np.int64, copy=False)
    if any(isinstance(a, Looked) for a in args) and (found := linear(fn, args)) is not None:
        return found
    if fn in ON_INTERVALS and len(args) == 2:
        return ON_INTERVALS[fn](range_of(args[0]), range_of(args[1]))
    return EVERYTHING


def joined(fn: str, first: Value, second: Value) -> Value:
    """`first && second`, or `||`."""
    if isinstance(first, np.ndarray) and isinstance(second, np.ndarray):
        join = np.logical_and if fn == "&&" else np.logical_or
        return np.asarray(join(first != 0, second != 0)).astype(np.int64)
    known = first if isinstance(first, np.ndarray) else second
    decides = 0 if fn == "&&" else 1
    if isinstance(known, np.ndarray) and (known == decides).all():
        return known
    return Interval(0, 1)


def chosen(condition: Value, yes: Value, no: Value) -> Value:
    """`condition ? yes : no`."""
    if isinstance(condition, np.ndarray) and isinstance(yes, np.ndarray) and isinstance(no, np.ndarray):
        return np.where(condition != 0, yes, no)
    return range_of(yes).union(range_of(no))
