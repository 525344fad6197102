"""Where a finished program's buffers lie in the memories of the chip.

address(b) = least aligned offset at which b overlaps no buffer that lives at the same time
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from uol.backends.ascendc.instructions import Block, Branch, Buffer, Instr, Loop
from uol.backends.ascendc.machine import ALIGNMENT_BYTES, C_TYPE, CAPACITY_BYTES, POSITION, Memory, round_up


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


@dataclass(frozen=True, slots=True)
class Lifetime:
    """First and last position in the program at which a buffer is touched, ends included."""

    buffer: Buffer
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Overflow:
    """A memory that is too small: what it would have to hold."""

    memory: Memory
    bytes: int
    buffers: tuple[Buffer, ...]

    def __str__(self) -> str:
        largest = sorted(self.buffers, key=lambda b: -b.bytes)[:6]
        parts = ", ".join(f"{b.name} {b.bytes}" for b in largest)
        more = f" and {len(self.buffers) - len(largest)} more" if len(self.buffers) > len(largest) else ""
        return f"{self.memory} holds {CAPACITY_BYTES[self.memory]} bytes, the kernel needs {self.bytes}: {parts}{more}"


def allocate(lifetimes: Sequence[Lifetime]) -> dict[str, int] | Overflow:
    """Byte addresses by buffer name, within each memory: the longest lives and largest buffers first, each at the lowest
    address that is free while it lives."""
    addresses: dict[str, int] = {}
    placed: list[Lifetime] = []
    for life in sorted(lifetimes, key=lambda x: (-(x.last - x.first), -x.buffer.bytes, x.first, x.buffer.name)):
        addresses[life.buffer.name] = _lowest_free(life, placed, addresses)
        placed.append(life)
    for memory, capacity in CAPACITY_BYTES.items():
        here = [p for p in placed if p.buffer.memory == memory]
        top = max((addresses[p.buffer.name] + p.buffer.bytes for p in here), default=0)
        if top > capacity:
            return Overflow(memory, top, tuple(p.buffer for p in here))
    return addresses


def _lowest_free(life: Lifetime, placed: Sequence[Lifetime], addresses: Mapping[str, int]) -> int:
    rivals = sorted(
        (addresses[p.buffer.name], addresses[p.buffer.name] + p.buffer.bytes)
        for p in placed
        if p.buffer.memory == life.buffer.memory and p.first <= life.last and life.first <= p.last
    )
    address = 0
    for start, end in rivals:
        if address + life.buffer.bytes <= start:
            break
        address = max(address, round_up(end, ALIGNMENT_BYTES[life.buffer.memory]))
    return address


@dataclass(slots=True)
class _Survey:
    touches: dict[Buffer, list[int]] = field(default_factory=dict)
    loops: list[tuple[int, int, Block]] = field(default_factory=list)
    position: int = 0

    def walk(self, block: Block) -> None:
        for node in block.nodes:
            self.position += 1
            match node:
                case Instr(reads=reads, writes=writes):
                    for view in (*reads, *writes):
                        self.touches.setdefault(view.buffer, []).append(self.position)
                case Loop(body=body):
                    start = self.position
                    self.walk(body)
                    self.position += 1
                    self.loops.append((start, self.position, body))
                case Branch(body=body):
                    self.walk(body)
                    self.position += 1


def lifetimes(program: Block) -> tuple[Lifetime, ...]:
    """A buffer lives from its first touch to its last. One that is touched within a loop lives for the whole loop if it is
    touched outside too, if it is double-buffered, or if an iteration reads it before having written it."""
    survey = _Survey()
    survey.walk(program)
    result = []
    for buffer, touches in survey.touches.items():
        first, last = touches[0], touches[-1]
        for start, end, body in survey.loops:  # inner loops come before the loops around them
            if not any(start < t < end for t in touches):
                continue
            if first < start or end < last or buffer.slots > 1 or not _written_first(body, buffer):
                first, last = min(first, start), max(last, end)
        result.append(Lifetime(buffer, first, last))
    return tuple(result)


def _written_first(body: Block, buffer: Buffer) -> bool:
    """Is the first thing an iteration does to the buffer a write, outside of any branch?"""
    for node in body.nodes:
        match node:
            case Instr(reads=reads, writes=writes):
                if any(v.buffer == buffer for v in reads):
                    return False
                if any(v.buffer == buffer for v in writes):
                    return True
            case Loop(body=inner) if _touches(inner, buffer):
                return _written_first(inner, buffer)
            case Branch(body=inner) if _touches(inner, buffer):
                return False
    return False


def _touches(body: Block, buffer: Buffer) -> bool:
    for node in body.nodes:
        match node:
            case Instr(reads=reads, writes=writes):
                if any(v.buffer == buffer for v in (*reads, *writes)):
                    return True
            case Loop(body=inner) | Branch(body=inner):
                if _touches(inner, buffer):
                    return True
    return False
