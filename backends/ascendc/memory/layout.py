"""Where a finished program's buffers lie, and what they are called in the text."""

from __future__ import annotations

from dataclasses import dataclass

from uol.backends.ascendc.instructions import Block
from uol.backends.ascendc.machine import C_TYPE, POSITION, Memory, round_up
from uol.backends.ascendc.memory.buffers import Buffer, Overflow, allocate
from uol.backends.ascendc.memory.lifetimes import lifetimes


@dataclass(frozen=True, slots=True)
class BufferRow:
    """A LocalTensor of the text: `name` is a view of `elements` of `ctype` at a byte offset of its memory's TBuf."""

    name: str
    ctype: str
    elements: int
    offset: int
    memory: str


@dataclass(frozen=True, slots=True)
class MemoryRow:
    """A TBuf of the text, one for each memory in use."""

    name: str
    position: str
    bytes: int


@dataclass(frozen=True, slots=True)
class MemoryLayout:
    """Addresses by buffer name, and the rows that the template prints."""

    addresses: dict[str, int]
    memories: tuple[MemoryRow, ...]
    buffers: tuple[BufferRow, ...]

    def bytes_by_memory(self) -> dict[str, int]:
        return {m.name: m.bytes for m in self.memories}


def memory_layout(program: Block) -> MemoryLayout | Overflow:
    """The layout of all buffers that the program touches."""
    lives = lifetimes(program)
    addresses = allocate(lives)
    if isinstance(addresses, Overflow):
        return addresses
    buffers = [life.buffer for life in lives]
    tops: dict[Memory, int] = {}
    for buffer in buffers:
        tops[buffer.memory] = max(tops.get(buffer.memory, 0), addresses[buffer.name] + buffer.bytes)
    return MemoryLayout(
        addresses,
        tuple(MemoryRow(m.lower(), POSITION[m], round_up(top, 32)) for m, top in tops.items()),
        tuple(_row(b, addresses[b.name]) for b in buffers),
    )


def _row(buffer: Buffer, offset: int) -> BufferRow:
    elements = buffer.elements if buffer.slots == 1 else buffer.slot_elements * buffer.slots
    return BufferRow(buffer.name, C_TYPE[buffer.dtype], elements, offset, buffer.memory.lower())
