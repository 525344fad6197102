"""On-chip buffers: their type, views of them, and where they lie.

    address(b) = least aligned offset at which b overlaps no buffer that lives at the same time

The size and the memory are part of a buffer's type. `Buffer.slots` is 2 where a buffer is double-buffered: iteration i of
the slotted loop uses slot i % 2.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from uol.backends.ascendc.machine import ALIGNMENT_BYTES, BYTES, C_TYPE, CAPACITY_BYTES, Memory, round_up

SLOT = "slot"
"""The variable that says which slot of a double-buffered buffer an iteration uses."""


@dataclass(frozen=True, slots=True)
class Buffer:
    """`elements` of `dtype` per slot, at an address of its own."""

    name: str
    dtype: str
    elements: int
    memory: Memory = "UB"
    slots: int = 1

    @property
    def slot_bytes(self) -> int:
        return round_up(self.elements * BYTES[self.dtype], ALIGNMENT_BYTES[self.memory])

    @property
    def slot_elements(self) -> int:
        """Elements from the start of one slot to the start of the next."""
        return self.slot_bytes // BYTES[self.dtype]

    @property
    def bytes(self) -> int:
        return self.slot_bytes * self.slots

    def view(self) -> View:
        return View(self)


@dataclass(frozen=True, slots=True)
class View:
    """A buffer from an element on, as an operand: its C text, and what of it is touched.

    offset  C text of the first element, within the slot; empty for the start
    cast    element type if the bits are taken for another type
    per     the loop whose iterations touch disjoint parts, if there is one
    part    a label; views of one buffer with different labels do not overlap
    whole   all slots of the buffer, whatever the iteration
    """

    buffer: Buffer
    offset: str = ""
    cast: str = ""
    per: str = ""
    part: str = ""
    whole: bool = False

    def at(self, offset: str, *, per: str = "", part: str = "") -> View:
        """The view from a further element on."""
        terms = [t for t in (self.offset, offset) if t and t != "0"]
        return replace(self, offset=" + ".join(terms), per=per or self.per, part=part or self.part)

    def of_type(self, dtype: str) -> View:
        return replace(self, cast="" if dtype == self.buffer.dtype else dtype)

    @property
    def dtype(self) -> str:
        return self.cast or self.buffer.dtype

    def __str__(self) -> str:
        terms = [f"{SLOT} * {self.buffer.slot_elements}"] if self.buffer.slots == 2 and not self.whole else []
        terms += [self.offset] if self.offset else []
        text = self.buffer.name + (f"[{' + '.join(terms)}]" if terms else "")
        return f"{text}.ReinterpretCast<{C_TYPE[self.cast]}>()" if self.cast else text


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
