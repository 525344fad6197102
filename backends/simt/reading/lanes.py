"""Values and conditions over the lanes of some blocks: arrays of (blocks, threads), or what is known of data.

A value that depends on the data of a launch is an interval. Each value has a number, which two have alike where the text
computes the same from the same: what is read at one place twice may stay in a register.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from uol.backends.simt.reading.counts import Ends, Ints
from uol.ir.integers.intervals import EVERYTHING, Interval

SECTOR_BYTES = 32
"""What an access of global memory moves at least: CUDA C++ Best Practices Guide, "Coalesced Access to Global Memory". Accesses
of other machines are counted in the same unit."""

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Value:
    """`data` is broadcast over (blocks, threads)."""

    data: Ints | Interval
    number: int

    @property
    def range(self) -> Interval:
        if isinstance(self.data, Interval):
            return self.data
        return Interval(int(self.data.min()), int(self.data.max())) if self.data.size else Interval(0, 0)


@dataclass(frozen=True)
class Active:
    """The lanes that carry out what comes next: those that surely do, those that may, by warps of `width`.

    least, most     how often they do, in loops that are looked at once
    loops           of these, the ones whose turns are alike: the names that differ from turn to turn, and the number of turns
    """

    sure: Mask
    maybe: Mask
    width: int
    least: int = 1
    most: int = 1
    loops: tuple[tuple[frozenset[str], int], ...] = ()

    @cached_property
    def lanes(self) -> Ends:
        """Executions by lanes, of each block."""
        return lanes_of(self.sure) * self.least, lanes_of(self.maybe) * self.most

    @cached_property
    def warps(self) -> Ends:
        return warps_of(self.sure, self.width) * self.least, warps_of(self.maybe, self.width) * self.most

    @cached_property
    def blocks(self) -> Ends:
        return self.sure.any(axis=1).astype(np.int64) * self.least, self.maybe.any(axis=1).astype(np.int64) * self.most

    @property
    def is_empty(self) -> bool:
        return not self.maybe.any()

    def where(self, condition: Value, *, holds: bool = True) -> Active:
        """The lanes for which a condition holds, or does not."""
        if isinstance(condition.data, Interval):
            return replace(self, sure=np.zeros_like(self.sure))
        wanted = (condition.data != 0) == holds
        return replace(self, sure=self.sure & wanted, maybe=self.maybe & wanted)

    def turns(self, least: int, most: int) -> Active:
        """In a loop of so many turns, one of which stands for all."""
        return replace(self, least=self.least * least, most=self.most * most)

    def alike(self, names: frozenset[str], turns: int) -> Active:
        """In a loop whose turns do the same but for what these names say."""
        return replace(self, least=self.least * turns, most=self.most * turns, loops=(*self.loops, (names, turns)))

    def least_for(self, names: frozenset[str]) -> int:
        """How often an access is made at least: not in every turn where it is the same in all."""
        found = self.least
        for differing, turns in self.loops:
            if turns and not differing & names:
                found //= turns
        return found


def lanes_of(mask: Mask) -> Ints:
    """Of each block, the lanes of the mask."""
    found: Ints = mask.sum(axis=1, dtype=np.int64)
    return found


def warps_of(mask: Mask, width: int) -> Ints:
    """Of each block, the warps with a lane of the mask."""
    found: Ints = mask.reshape(len(mask), -1, width).any(axis=2).sum(axis=1)
    return found


def sectors(index: Ints, element_bytes: int, mask: Mask, width: int) -> Ints:
    """How many sectors the lanes of each warp touch, summed over the warps of each block.

    >>> index = np.arange(64).reshape(1, 64)
    >>> sectors(index, 4, np.ones((1, 64), bool), 32), sectors(index * 8, 4, index < 4, 32)
    (array([8]), array([4]))
    """
    touched = np.where(mask, index * element_bytes // SECTOR_BYTES, -1).reshape(len(mask), -1, width)
    steps = np.diff(touched, axis=2)
    if (steps < 0).any():
        touched = np.sort(touched, axis=2)
        steps = np.diff(touched, axis=2)
    found: Ints = ((steps != 0) & (touched[:, :, 1:] >= 0)).sum(axis=(1, 2)) + (touched[:, :, 0] >= 0).sum(axis=1)
    return found


@dataclass(slots=True)
class Numbers:
    """Numbers of values: one for each way to compute it."""

    known: dict[object, int] = field(default_factory=dict)

    def of(self, *key: object) -> int:
        return self.known.setdefault(key, len(self.known))

    def new(self) -> int:
        return self.of("new", len(self.known))


def _quotient(a: Ints, b: Ints) -> Ints:
    return np.where(b == 0, 0, a // np.where(b == 0, 1, b))


def _remainder(a: Ints, b: Ints) -> Ints:
    return np.where(b == 0, 0, a % np.where(b == 0, 1, b))


ON_ARRAYS: Mapping[str, Callable[..., Ints]] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": _quotient,
    "%": _remainder,
    "floor_div": _quotient,
    "floor_mod": _remainder,
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
}
"""What operations on integers give; a quotient in the text is of numbers that are never negative, or floors by its name."""

ON_INTERVALS: Mapping[str, Callable[[Interval, Interval], Interval]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a + b * Interval(-1, -1),
    "*": lambda a, b: a * b,
    "min": Interval.minimum,
    "max": Interval.maximum,
    "/": Interval.floor_divide,
    "%": Interval.modulo,
}


def computed(fn: str, args: tuple[Value, ...], numbers: Numbers) -> Value:
    """The value of an operation on values."""
    number = numbers.of(fn, *(a.number for a in args))
    if all(not isinstance(a.data, Interval) for a in args) and fn in ON_ARRAYS:
        return Value(np.asarray(ON_ARRAYS[fn](*(a.data for a in args))).astype(np.int64), number)
    if fn in ON_INTERVALS and len(args) == 2:
        return Value(ON_INTERVALS[fn](args[0].range, args[1].range), number)
    return Value(EVERYTHING, number)
