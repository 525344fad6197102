"""How often the slots of double buffers are used again: what tells whether a run could have seen a flag that comes too early.

    reuse(b) = least over the slots of b (most over its cells (times that the cell was filled again))

A cell of on-chip memory is filled again when one pipe has touched it, then another, and then one takes its turn again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from uol.codegen.backend import Module


@dataclass(frozen=True, slots=True)
class DoubleBuffer:
    """Slots of `slot_bytes` each, one behind the other from byte `offset` of a memory on."""

    kernel: str
    name: str
    memory: str
    offset: int
    slot_bytes: int
    slots: int = 2

    @property
    def label(self) -> str:
        return f"{self.kernel}.{self.name}"


@dataclass(frozen=True, slots=True)
class Refill:
    """Bytes [begin, end) of a memory that a block of a launch filled again so many times: the most of all its blocks."""

    launch: int
    memory: str
    begin: int
    end: int
    times: int


def reuses_of(module: Module, buffers: Iterable[DoubleBuffer], refills: Sequence[Refill]) -> dict[str, int]:
    """By kernel and buffer: how often its least used slot was filled again."""
    launches = {kernel.name: number for number, kernel in enumerate(module.kernels)}
    return {b.label: _reuse(b, [r for r in refills if r.launch == launches.get(b.kernel)]) for b in buffers}


def _reuse(buffer: DoubleBuffer, refills: Sequence[Refill]) -> int:
    here = [r for r in refills if r.memory == buffer.memory]
    starts = [buffer.offset + slot * buffer.slot_bytes for slot in range(buffer.slots)]
    return min(_most(here, start, start + buffer.slot_bytes) for start in starts)


def _most(refills: Iterable[Refill], begin: int, end: int) -> int:
    return max((r.times for r in refills if r.begin < end and begin < r.end), default=0)
