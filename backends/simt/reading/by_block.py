"""What leaves a block: every sector of global memory once for each block that touches it, however often its threads do.

A core's own cache has what neighbours ask for again, as windows that overlap do: of what `Reading` counts, access by access,
this is the part that the next cache, which all cores share, is asked for. What is read again behind a long loop counts again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from uol.backends.simt.machine.limits import SECTOR_BYTES
from uol.backends.simt.reading.calls import Reader, bytes_of, keys_of
from uol.backends.simt.reading.counts import Ints
from uol.backends.simt.reading.lanes import Active, Touched, Value, range_of, sectors
from uol.backends.simt.reading.run import Reading
from uol.backends.simt.reading.syntax import Loop, Operation
from uol.ir.integers.intervals import Interval

EVERY_TURN = 64
"""Of a loop that has no more, each is read: which sectors two turns share is seen by no other way."""

Element = TypeVar("Element", bound=np.generic)


@dataclass(slots=True)
class BlockReading(Reading):
    """A reading in which the sectors of a block are kept until its end. Of one width of warps: they have no part in it."""

    room: Mapping[str, int] = field(default_factory=dict)
    """Sectors that a tensor has, by its name: of a small one in which places are looked up, a block has no more."""
    kept: dict[tuple[str, str], list[Touched]] = field(default_factory=dict)
    """By kind and tensor."""
    whole: tuple[Reader, ...] = ()
    """Who counts what is read itself, and is no sample of a loop."""

    def run_blocks(self) -> Ints:
        """Bytes of each block."""
        return np.asarray(sum(self.run_tensors().values(), np.zeros(len(self.blocks), np.int64)))

    def run_tensors(self, together: bool = False) -> Mapping[str, Ints]:
        """Bytes of each block, by tensor; or, of blocks that run together, each sector once for all that touch it."""
        self.whole = self.readers
        self.run()
        (reader,) = self.whole
        for (what, array), accesses in self.kept.items():
            if together and all(isinstance(place, np.ndarray) for place, _, _ in accesses):
                self.count_together(what, array, accesses)
            else:
                self.count(what, array, accesses, 1, self.room.get(array))
        found: dict[str, Ints] = {}
        for (kind, tensor), (_, most) in reader.counts.found.items():
            if kind in ("load", "store"):
                found[tensor] = found.get(tensor, np.int64(0)) + np.broadcast_to(most, len(self.blocks))
        return found

    def is_read_once(self, loop: Loop, turns: Ints) -> bool:
        return Reading.is_read_once(self, loop, turns) and int(turns.flat[0]) > EVERY_TURN

    def move(self, active: Active) -> None:
        """Keeps what the statement at hand has touched; of what stands for other turns, its count."""
        for (what, array), accesses in self.touched.items():
            self.keep(what, array, accesses, active)
        self.touched.clear()

    def search(self, node: Operation, args: tuple[Value, ...], active: Active) -> Value:
        """Where there are fewer sectors of keys than accesses, all of them at most."""
        keys, whole = keys_of(node, args, self.types)
        count = range_of(args[-2]).high or 0
        if keys not in self.tensors or whole > self.threads * count.bit_length():
            return Reading.search(self, node, args, active)
        for first in range(0, whole, self.threads):
            number = first + np.arange(self.threads)[None, :]
            asked = active.maybe.any(axis=1, keepdims=True) & (number < whole)
            self.keep("load", keys, [(number * SECTOR_BYTES // bytes_of(self.types[keys]), asked, asked)], active)
        return Interval(0, count)

    def keep(self, what: str, array: str, accesses: Sequence[Touched], active: Active) -> None:
        """Until the end of a block, but where the turn at hand stands for others."""
        if active.most == 1 and self.readers is self.whole:
            self.kept.setdefault((what, array), []).extend(accesses)
        else:
            self.count(what, array, accesses, active.most)

    def count_together(self, what: str, array: str, accesses: Sequence[Touched]) -> None:
        """All blocks are one warp, of which each block has its share."""
        (reader,) = self.readers
        blocks, lanes = len(self.blocks), len(self.blocks) * self.threads

        def in_a_row(part: NDArray[Element]) -> NDArray[Element]:
            return np.broadcast_to(part, (blocks, self.threads)).reshape(1, lanes)

        rows: list[Touched] = []
        for place, sure, maybe in accesses:
            assert isinstance(place, np.ndarray)
            rows.append((in_a_row(place), in_a_row(sure), in_a_row(maybe)))
        _, most = sectors(rows, bytes_of(self.types[array]), lanes)
        share = np.full(blocks, -(-int(most[0]) * SECTOR_BYTES // blocks), np.int64)
        reader.counts.add(what, array, (share, share))

    def count(self, what: str, array: str, accesses: Sequence[Touched], times: int, room: int | None = None) -> None:
        """A block is a warp of all its threads."""
        (reader,) = self.readers
        _, most = sectors(accesses, bytes_of(self.types[array]), self.threads)
        number = np.minimum(most, room) * times * SECTOR_BYTES if room is not None else most * times * SECTOR_BYTES
        reader.counts.add(what, array, (number, number))
