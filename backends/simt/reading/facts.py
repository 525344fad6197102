"""What is found once of a statement and of a loop, and the truth values that threads keep."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from uol.backends.simt.reading.counts import Ends
from uol.backends.simt.reading.lanes import Value, is_one_place
from uol.backends.simt.reading.merged import Issue


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a statement: its unit (none where it is not counted), and the operations in it."""

    unit: str
    issues: tuple[Issue, ...]


@dataclass(frozen=True, slots=True)
class Frame:
    """A loop that is being carried out: whether in its first turn, and how many turns, at least and at most, this one stands
    for."""

    loop: int
    is_first: bool
    least: int
    most: int


def once(ends: Ends, frames: Iterable[Frame]) -> Ends:
    """How often what stands in a turn of each of these loops is carried out where it is in front of them."""
    low, high = ends
    for frame in frames:
        low, high = low // max(frame.least, 1), high // max(frame.most, 1)
    return low, high


@dataclass(frozen=True, slots=True)
class LoopFacts:
    """What is known of a loop: the names that it gives values to, the arrays that it writes, whether a turn stands for all,
    how many turns have their loads on their way together, and what goes on by as much in each turn."""

    sets: frozenset[str]
    arrays: frozenset[str]
    alike: bool
    together: int
    steps: frozenset[str] = frozenset()


@dataclass(slots=True)
class Flags:
    """The truth values in the arrays of a thread, by array and index, of those that are known."""

    held: dict[tuple[str, int], Value] = field(default_factory=dict)

    def keep(self, array: str, place: Value, value: Value) -> None:
        """What is written. Where it is not known what, or at which index, nothing of the array is known any more."""
        if isinstance(place, np.ndarray) and isinstance(value, np.ndarray) and is_one_place(place, place.shape[1]):
            self.held[array, int(place.flat[0])] = value
        else:
            self.forget([array])

    def at(self, array: str, place: Value) -> Value | None:
        """What is read; None where it is not known."""
        if not isinstance(place, np.ndarray) or not is_one_place(place, place.shape[1]):
            return None
        return self.held.get((array, int(place.flat[0])))

    def of(self, array: str) -> dict[int, Value]:
        """The elements of an array that are known, by index."""
        return {index: value for (name, index), value in self.held.items() if name == array}

    def forget(self, arrays: Iterable[str]) -> None:
        gone = frozenset(arrays)
        self.held = {key: value for key, value in self.held.items() if key[0] not in gone}
