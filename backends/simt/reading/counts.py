"""Counts of a reading: intervals by name for each block that is looked at, and what these say of all blocks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from uol.ir.integers.intervals import Interval

Ints = NDArray[np.int64]
MANY = 16
"""Pieces whose mean says more than their extremes."""
GOLDEN = (5**0.5 - 1) / 2
"""Multiples of it lie unevenly, and nowhere close together."""
Ends = tuple[Ints, Ints]
"""The least and the most, of each block."""


@dataclass(slots=True)
class Counts:
    """By kind and name: ("read", tensor), ("statement", unit), ("primitive", name), ..."""

    found: dict[tuple[str, str], Ends] = field(default_factory=dict)

    def add(self, kind: str, name: str, ends: Ends) -> None:
        least, most = self.found.get((kind, name), (0, 0))
        self.found[kind, name] = least + ends[0], most + ends[1]

    def add_sample(self, pieces: Sequence[Counts], number: int) -> None:
        """As many pieces as `number`, of which some were looked at."""
        for kind, name in {key: None for piece in pieces for key in piece.found}:
            ends = [piece.found.get((kind, name), (np.int64(0), np.int64(0))) for piece in pieces]
            lows, highs = (np.stack(np.broadcast_arrays(*each)) for each in zip(*ends, strict=True))
            low, high = _likely(lows, highs)
            self.add(kind, name, (low * number, high * number))

    @staticmethod
    def joined(parts: Sequence[tuple[Counts, Ints]], blocks: int) -> Counts:
        """The counts of so many blocks, put together from parts: each has the counts of the blocks at its places."""
        whole = Counts()
        for kind, name in {key: None for counts, _ in parts for key in counts.found}:
            ends = np.zeros(blocks, np.int64), np.zeros(blocks, np.int64)
            for counts, places in parts:
                for end, of_part in zip(ends, counts.found.get((kind, name), (np.int64(0), np.int64(0))), strict=True):
                    end[places] = of_part
            whole.add(kind, name, ends)
        return whole

    def of_grid(self, chosen: Sequence[int], grid: int, *, in_order: bool = False) -> dict[tuple[str, str], Interval]:
        """The counts of all blocks of a grid, from chosen ones: all, or the first, the last, and some between them. `in_order`:
        the latter are one of each of as many equal parts of the grid, whose blocks are much alike."""
        return {key: Interval(*_whole(ends, len(chosen), grid, in_order)) for key, ends in self.found.items()}


def _whole(ends: Ends, chosen: int, grid: int, in_order: bool) -> tuple[int, int]:
    least, most = (np.broadcast_to(end, (chosen,)) for end in ends)
    if chosen == grid:
        return int(least.sum()), int(most.sum())
    low, high = (_likely_in_order if in_order else _likely)(least[1:-1], most[1:-1])
    return int(least[0] + least[-1] + (grid - 2) * low), int(most[0] + most[-1] + (grid - 2) * high)


def _likely_in_order(least: Ints, most: Ints) -> tuple[float, float]:
    """Between what ends the mean of pieces lies, by one of each of some equal parts of them: the error of a part is about what
    it differs by from its neighbour."""
    low, high = (
        each.mean() + sign * 3 * (np.square(np.diff(each)).sum() / 2) ** 0.5 / len(each)
        for each, sign in ((least, -1), (most, 1))
    )
    return max(float(low), 0.0), float(high)


def _likely(least: Ints, most: Ints) -> Ends:
    """Between what ends the mean of pieces lies, by some of them: of few, the fewest and the most, and their distance beyond;
    of many, their mean, and three standard errors beyond. It is likely, not proven; where those that were looked at are alike,
    all are taken to be."""
    low, high = least.min(axis=0), most.max(axis=0)
    spread = np.maximum(least.max(axis=0) - low, high - most.min(axis=0))
    if len(least) >= MANY:
        errors = [3 * each.std(axis=0, ddof=1) / len(least) ** 0.5 for each in (least, most)]
        ends = np.floor(least.mean(axis=0) - errors[0]), np.ceil(most.mean(axis=0) + errors[1])
        return np.maximum(ends[0].astype(np.int64), 0), ends[1].astype(np.int64)
    return np.maximum(low - spread, 0), high + spread


def sample(number: int, most: int) -> tuple[int, ...]:
    """Which of `number` equal pieces are looked at: all, or the first, the last, and some at uneven distances.

    >>> sample(3, 8), sample(100, 4)
    ((0, 1, 2), (0, 24, 61, 99))
    """
    if number <= most:
        return tuple(range(number))
    inner = {1 + int((k * GOLDEN) % 1 * (number - 2)) for k in range(1, most - 1)}
    return (0, *sorted(inner), number - 1)


def sample_in_order(number: int, most: int) -> tuple[int, ...]:
    """The same of pieces whose neighbours are much alike: between the first and the last one of each of as many equal parts.

    >>> sample_in_order(3, 8), sample_in_order(100, 6)
    ((0, 1, 2), (0, 16, 31, 70, 86, 99))
    """
    if number <= most:
        return tuple(range(number))
    parts = most - 2
    inner = (1 + int((k + (k + 1) * GOLDEN % 1) * (number - 2) / parts) for k in range(parts))
    return (0, *inner, number - 1)
