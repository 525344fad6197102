"""What is found once of a statement and of a loop, and the truth values that threads keep."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from uol.backends.simt.reading.lanes import Value, is_one_place


@dataclass(frozen=True, slots=True)
class Facts:
    """Of a statement: its unit (none where it is not counted), and the operations in it."""

    unit: str
    operations: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class LoopFacts:
    """Of a loop: the names that it gives values to, the arrays that it writes, and whether a turn stands for all."""

    sets: frozenset[str]
    arrays: frozenset[str]
    alike: bool


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

    def forget(self, arrays: Iterable[str]) -> None:
        gone = frozenset(arrays)
        self.held = {key: value for key, value in self.held.items() if key[0] not in gone}
