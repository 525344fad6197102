"""On-chip memory in stretches that no buffer's end divides, and the last accesses to each.

    cells(b, s)    the stretches that slot s of buffer b covers: buffers that share bytes share cells
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from uol.backends.ascendc.instructions import Block, Branch, Buffer, Instr, Loop, View
from uol.backends.ascendc.machine import Pipe

Cells = Mapping[Buffer, tuple[tuple[int, ...], ...]]
"""For each buffer and slot, the numbers of its cells."""

Place = tuple[Block, int, int]
"""A block, the number of a node in it, and the iteration of the loop whose body the block is."""


@dataclass(frozen=True, slots=True)
class Access:
    """One access that has happened: who, when, and where in the program."""

    pipe: Pipe
    time: int
    trace: tuple[Place, ...]
    view: View


@dataclass(slots=True)
class _Cell:
    """The last accesses to one stretch of memory."""

    writes: list[Access] = field(default_factory=list)
    reads: list[Access] = field(default_factory=list)


class Memory:
    """What has happened to the cells. `slot` is the slot of double-buffered buffers that is in use."""

    def __init__(self, cells: Cells, slot: int) -> None:
        self.cells, self.slot = cells, slot
        self._content: defaultdict[int, _Cell] = defaultdict(_Cell)

    def conflicting(self, view: View, *, writes: bool) -> Iterator[Access]:
        """Earlier accesses to the same memory of which one side writes."""
        for cell in self._touched(view):
            yield from cell.writes
            if writes:
                yield from cell.reads

    def record(self, access: Access, *, writes: bool) -> None:
        """An access happens. One that writes a whole cell makes those before it irrelevant: it is ordered after them."""
        for cell in self._touched(access.view):
            if not writes:
                cell.reads.append(access)
            elif access.view.per or access.view.part:
                cell.writes.append(access)
            else:
                cell.writes, cell.reads = [access], []

    def _touched(self, view: View) -> list[_Cell]:
        slots = self.cells[view.buffer]
        if view.whole:
            return [self._content[c] for slot in slots for c in slot]
        return [self._content[c] for c in slots[self.slot if len(slots) > 1 else 0]]


def cells_of(program: Block, addresses: Mapping[str, int]) -> Cells:
    """The cells of every buffer of a program."""
    buffers = _buffers(program)
    result: dict[Buffer, tuple[tuple[int, ...], ...]] = {}
    first = 0
    for memory in {b.memory for b in buffers}:
        here = [b for b in buffers if b.memory == memory]
        spans = {b: [addresses[b.name] + s * b.slot_bytes for s in range(b.slots)] for b in here}
        edges = sorted({e for b in here for s in spans[b] for e in (s, s + b.slot_bytes)})
        for b in here:
            result[b] = tuple(tuple(first + i for i, e in enumerate(edges) if s <= e < s + b.slot_bytes) for s in spans[b])
        first += len(edges)
    return result


def _buffers(block: Block) -> list[Buffer]:
    found: dict[Buffer, None] = {}
    for node in block.nodes:
        match node:
            case Instr(reads=reads, writes=writes):
                found.update(dict.fromkeys(v.buffer for v in (*reads, *writes)))
            case Loop(body=body) | Branch(body=body):
                found.update(dict.fromkeys(_buffers(body)))
    return list(found)
