"""What leaves a block: every sector of global memory once for each block that touches it, however often its threads do.

A core's own cache has what neighbours ask for again, as windows that overlap do: of what `Reading` counts, access by access,
this is the part that the next cache, which all cores share, is asked for. What is read again behind a long loop counts again.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from uol.backends.simt.reading.calls import Reader, bytes_of, keys_of
from uol.backends.simt.reading.counts import Ints
from uol.backends.simt.reading.lanes import Active, Touched, Value, lanes_of, range_of
from uol.backends.simt.reading.run import Reading
from uol.backends.simt.reading.syntax import Loop, Operation
from uol.backends.simt.schedules import SECTOR_BYTES
from uol.ir.integers.intervals import Interval

EVERY_TURN = 64
"""Of a loop that has no more, each is read: which sectors two turns share is seen by no other way."""


@dataclass(slots=True)
class BlockReading(Reading):
    """A reading in which the sectors of a block are kept until its end. Of one width of warps: they have no part in it."""

    kept: dict[tuple[str, str], list[Ints]] = field(default_factory=dict)
    """By kind and tensor: sectors by lanes of each block; -1 where a lane touches none."""
    whole: tuple[Reader, ...] = ()
    """Who counts what is read itself, and is no sample of a loop."""

    def run_blocks(self) -> Ints:
        """Bytes of each block."""
        self.whole = self.readers
        self.run()
        (reader,) = self.whole
        for (what, array), places in self.kept.items():
            number = _different(np.concatenate(places, axis=1))
            reader.counts.add(what, array, (number * SECTOR_BYTES, number * SECTOR_BYTES))
        found = [most for (kind, _), (_, most) in reader.counts.found.items() if kind in ("load", "store")]
        return np.asarray(sum(found, np.zeros(len(self.blocks), np.int64)))

    def is_read_once(self, loop: Loop, turns: Ints) -> bool:
        return Reading.is_read_once(self, loop, turns) and int(turns.flat[0]) > EVERY_TURN

    def move(self, active: Active) -> None:
        """Keeps what the statement at hand has touched; of what stands for other turns, its count."""
        for (what, array), accesses in self.touched.items():
            size = bytes_of(self.types[array])
            self.keep(what, array, [found for access in accesses if (found := _sectors(access, size)) is not None], active)
            by_data = sum((lanes_of(maybe) for place, _, maybe in accesses if not isinstance(place, np.ndarray)), 0)
            self.count(what, array, by_data, active)
        self.touched.clear()

    def search(self, node: Operation, args: tuple[Value, ...], active: Active) -> Value:
        """Where there are fewer sectors of keys than accesses, all of them at most."""
        keys, whole = keys_of(node, args, self.types)
        steps = (range_of(args[-2]).high or 0).bit_length()
        if keys not in self.tensors or whole > self.threads * steps:
            return Reading.search(self, node, args, active)
        self.keep("load", keys, [np.where(active.maybe.any(axis=1, keepdims=True), np.arange(whole), -1)], active)
        return Interval(0, range_of(args[-2]).high)

    def keep(self, what: str, array: str, places: list[Ints], active: Active) -> None:
        """Sectors by lanes of each block."""
        if places and active.most == 1 and self.readers is self.whole:
            self.kept.setdefault((what, array), []).extend(places)
        elif places:
            self.count(what, array, _different(np.concatenate(places, axis=1)), active)

    def count(self, what: str, array: str, number: Ints | int, active: Active) -> None:
        """So many sectors of each block."""
        (reader,), found = self.readers, np.asarray(number * active.most * SECTOR_BYTES)
        reader.counts.add(what, array, (found, found))


def _sectors(access: Touched, element_bytes: int) -> Ints | None:
    """By lanes; None where data says which."""
    place, _, maybe = access
    if not isinstance(place, np.ndarray):
        return None
    return np.where(maybe, np.broadcast_to(place, maybe.shape) * element_bytes // SECTOR_BYTES, -1)


def _different(places: Ints) -> Ints:
    """How many numbers that are not negative there are in each row."""
    row = np.sort(places, axis=1)
    new = np.ones(row.shape, bool)
    new[:, 1:] = row[:, 1:] != row[:, :-1]
    return np.asarray((new & (row >= 0)).sum(axis=1))
