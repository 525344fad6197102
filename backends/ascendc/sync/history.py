"""What is known at a point of the walk through a program: how far each pipe has come, and the last accesses to memory.

    clock[p][q] >= t    p issues nothing before q has finished its first t instructions
    cells(b, s)         the stretches that slot s of buffer b covers: buffers that share bytes share cells

A flag from q to p raises clock[p] to what q knows and has done; a barrier of p raises clock[p][p] to all that p has issued.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from uol.backends.ascendc.instructions import Block, Branch, Buffer, Instr, Loop, View
from uol.backends.ascendc.machine import Pipe

PIPES: tuple[Pipe, ...] = ("S", "V", "M", "MTE1", "MTE2", "MTE3", "FIX")
ORDERED: frozenset[Pipe] = frozenset({"S", "M", "MTE1", "MTE3", "FIX"})
"""Pipes whose instructions need no barrier against each other here: Mmad's own rule is the cube generator's, the others
never touch a region twice without another pipe between."""

Clock = dict[Pipe, int]


class Clocks:
    """The progress of every pipe, and what every pipe knows of it."""

    def __init__(self) -> None:
        self.time: Clock = dict.fromkeys(PIPES, 0)
        self.known: dict[Pipe, Clock] = {p: dict.fromkeys(PIPES, 0) for p in PIPES}

    def issue(self, pipe: Pipe) -> int:
        """One more instruction of the pipe; its number."""
        self.time[pipe] += 1
        return self.time[pipe]

    def ordered(self, source: Pipe, time: int, pipe: Pipe) -> bool:
        """Does what `pipe` issues now come after the source's instruction of that number?"""
        return (source == pipe and pipe in ORDERED) or self.known[pipe][source] >= time

    def barrier(self, pipe: Pipe) -> None:
        self.known[pipe][pipe] = self.time[pipe]

    def told_by(self, pipe: Pipe) -> Clock:
        """What a flag set by the pipe now tells: all that it knows, and all that it has done."""
        return {**self.known[pipe], pipe: self.time[pipe]}

    def learn(self, pipe: Pipe, news: Clock) -> None:
        """A flag arrives. A wait on S holds back all later issue, so that every pipe learns what S does."""
        for listener in PIPES if pipe == "S" else (pipe,):
            clock = self.known[listener]
            for other, time in news.items():
                clock[other] = max(clock[other], time)

    def snapshot(self) -> dict[Pipe, Clock]:
        return {p: dict(c) for p, c in self.known.items()}

    def forget(self, before: Mapping[Pipe, Clock]) -> None:
        """After code that may not have run: only what was known before it."""
        for pipe, clock in before.items():
            self.known[pipe] = {p: min(t, self.known[pipe][p]) for p, t in clock.items()}


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
        self._content: dict[int, _Cell] = {}

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
            return [self._content.setdefault(c, _Cell()) for slot in slots for c in slot]
        return [self._content.setdefault(c, _Cell()) for c in slots[self.slot if len(slots) > 1 else 0]]


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
