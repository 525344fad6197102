"""Sorts under rounding: what each place may hold, and which places a kernel may pick.

Where the sorted values are exact the order is fixed, ties by the earlier element. Where they carry rounding errors, the k-th
value lies between the k-th lowest bound and the k-th highest, and an element may stand at place k when its own interval
meets that.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from uol.conformance.accuracy.interval import Array, Enclosure
from uol.ir.program.evaluation import sorted_places


@dataclass(frozen=True, slots=True)
class Ordered:
    """The values of a sort, elements in the last dimension; `place` is the dimension of a result that counts the order."""

    body: Enclosure
    descending: bool
    place: int

    def places(self, length: int) -> Array:
        """The golden order, `length` places of it."""
        return self._taken(sorted_places(self.body.value, self.descending), length)

    def values(self, length: int) -> Enclosure:
        """What may stand at each place."""

        def ordered(edge: Array) -> Array:
            places = sorted_places(edge, self.descending)
            return self._taken(np.take_along_axis(edge, places, -1), length)

        return self.body.map(ordered)

    def wrong(self, picks: Array, golden: Array) -> Array:
        """Which picked places are not admitted; `picks` lie within the row."""
        picks, golden = np.moveaxis(picks, self.place, -1), np.moveaxis(golden, self.place, -1)
        owed = self.values(golden.shape[-1]).map(lambda a: np.moveaxis(a, self.place, -1))
        low, high = (np.take_along_axis(edge, picks, -1) for edge in (self.body.low, self.body.high))
        fuzzy = (self.body.low != self.body.high).any(-1, keepdims=True) & ~np.isnan(self.body.value).any(-1, keepdims=True)
        admitted = np.where(fuzzy, (high >= owed.low) & (low <= owed.high), picks == golden)
        ordered = np.sort(picks, axis=-1)
        twice = np.zeros(picks.shape, bool)
        twice[..., 1:] = ordered[..., 1:] == ordered[..., :-1]
        return np.moveaxis(~admitted | twice.any(-1, keepdims=True), -1, self.place)

    def _taken(self, ordered: Array, length: int) -> Array:
        return np.moveaxis(ordered[..., :length], -1, self.place)
