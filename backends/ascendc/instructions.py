"""A small linear instruction IR: what a kernel's body does, statement by statement, before synchronisation.

    Program = Block of nodes;  node = Instr | Text | Declared | Loop | Branch

Every instruction says on which pipe it runs, which on-chip buffers it reads and writes, and how much it does; everything else
about it is its C text. Global memory takes no part: inputs are only read, and the pieces of results that a kernel writes are
disjoint.

The size and the memory are part of a buffer's type. `Buffer.slots` is 2 where a buffer is double-buffered: iteration i of the
slotted loop uses slot i % 2.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace

from uol.backends.ascendc.machine import ALIGNMENT_BYTES, BYTES, C_TYPE, Memory, Pipe, round_up

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
class Place:
    """Where the bursts of a copy lie in global memory: C text of the element at which the first one starts, elements from
    start to start, bytes of an element."""

    start: str
    stride: int
    element_bytes: int


@dataclass(frozen=True, slots=True)
class Instr:
    """One statement that a pipe executes.

    amount   C text of the numbers that say how much it does, by its kind (`work/amounts.py`)
    place    of a copy from or to global memory
    """

    pipe: Pipe
    text: str
    reads: tuple[View, ...] = ()
    writes: tuple[View, ...] = ()
    amount: tuple[str, ...] = ()
    place: Place | None = None

    @property
    def name(self) -> str:
        """The primitive that it calls: Add, DataCopyPad, SetValue, ..."""
        return re.split(r"[(<]", self.text, maxsplit=1)[0].rpartition(".")[2]


@dataclass(frozen=True, slots=True)
class Text:
    """C text that touches no on-chip memory and declares no integer: comments, parameters of instructions."""

    text: str


@dataclass(frozen=True, slots=True)
class Declared:
    """`const ctype name = value;`, an integer of the scalar unit's."""

    name: str
    value: str
    ctype: str

    @property
    def text(self) -> str:
        return f"const {self.ctype} {self.name} = {self.value};"


@dataclass(slots=True, eq=False)
class Block:
    """Nodes in program order."""

    nodes: list[Node] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Loop:
    """`for (ctype name = first; name < end; name += step) { body }`, all of them C text. `slotted` where its iterations
    alternate between the slots of double-buffered buffers; `least`: how many of them there are at least, as far as that is
    known."""

    name: str
    first: str
    end: str
    step: str
    ctype: str
    body: Block = field(default_factory=Block)
    slotted: bool = False
    least: int = 0

    @property
    def header(self) -> str:
        advance = f"++{self.name}" if self.step == "1" else f"{self.name} += {self.step}"
        return f"for ({self.ctype} {self.name} = {self.first}; {self.name} < {self.end}; {advance})"


@dataclass(slots=True, eq=False)
class Branch:
    """`if (condition) { body }`."""

    condition: str
    body: Block = field(default_factory=Block)


Node = Instr | Text | Declared | Loop | Branch


class Builder:
    """Appends nodes at the place that the generator has reached.

    `taken` are C names that buffers and variables must not have, `index` is the C type of indices."""

    def __init__(self, taken: Iterable[str] = (), index: str = "int") -> None:
        self.top = Block()
        self.index = index
        self._taken = set(taken)
        self._stack = [self.top]
        self.buffers: dict[str, Buffer] = {}
        self._prologue_end = 0

    def buffer(self, buffer: Buffer, *, reserved: bool = False) -> View:
        """Declares a buffer; a name that is taken gets a number. `reserved`: the name was kept for this very value."""
        name = buffer.name if reserved and buffer.name not in self.buffers else self._unused(buffer.name)
        named = replace(buffer, name=name)
        self.buffers[name] = named
        return named.view()

    def emit(
        self,
        pipe: Pipe,
        text: str,
        *,
        reads: tuple[View, ...] = (),
        writes: tuple[View, ...] = (),
        amount: tuple[str, ...] = (),
        place: Place | None = None,
    ) -> None:
        self._stack[-1].nodes.append(Instr(pipe, text, reads, writes, amount, place))

    def variable(self, name: str, value: str, ctype: str = "int") -> str:
        """Declares an integer; a name that is taken gets a number."""
        own = self._unused(name)
        self.declare(own, value, ctype)
        return own

    def declare(self, name: str, value: str, ctype: str = "int") -> None:
        """Declares an integer of just this name."""
        self._stack[-1].nodes.append(Declared(name, value, ctype))

    def _unused(self, name: str) -> str:
        candidate, number = name, 2
        while candidate in self._taken:
            candidate, number = f"{name}{number}", number + 1
        self._taken.add(candidate)
        return candidate

    def retarget(self, old: View, new: View) -> bool:
        """Lets the last instruction, if it made `old`, write `new` instead."""
        nodes = self._stack[-1].nodes
        last = nodes[-1] if nodes else None
        if not isinstance(last, Instr) or last.pipe != "V" or last.writes != (old,):
            return False
        first = re.compile(rf"\({re.escape(str(old))}(?=, |\.ReinterpretCast<)")
        text, found = first.subn(lambda _: f"({new}", last.text, count=1)
        if not found:
            return False
        nodes[-1] = replace(last, text=text, writes=(new,))
        if not any(old in (*n.reads, *n.writes) for n in nodes if isinstance(n, Instr)):
            self.buffers.pop(old.buffer.name, None)
        return True

    def last_text(self) -> str:
        """The last comment or declaration of this block."""
        return next((n.text for n in reversed(self._stack[-1].nodes) if isinstance(n, Text | Declared)), "")

    def text(self, text: str) -> None:
        self._stack[-1].nodes.append(Text(text))

    @contextmanager
    def loop(
        self, name: str, end: str, *, first: str = "0", step: str = "1", ctype: str = "", slotted: bool = False, least: int = 0
    ) -> Iterator[None]:
        """Nodes for name = first, first + step, ... below `end`; `ctype`: that of indices, unless it is given."""
        node = Loop(name, first, end, step, ctype or self.index, slotted=slotted, least=least)
        self._stack[-1].nodes.append(node)
        with self._inside(node.body):
            yield

    @contextmanager
    def branch(self, condition: str) -> Iterator[None]:
        """Nodes under a condition; an empty condition is no branch at all."""
        if not condition:
            yield
            return
        node = Branch(condition)
        self._stack[-1].nodes.append(node)
        with self._inside(node.body):
            yield

    def first(self) -> AbstractContextManager[None]:
        """Nodes that run before everything else: instructions of which the scalar unit does a part, and which would have
        to wait for whoever used their memory before."""
        return self._ahead(lambda: 0)

    def prologue(self) -> AbstractContextManager[None]:
        """Nodes that run once, before all loops: constants, tables, initial contents of buffers."""
        return self._ahead(lambda: self._prologue_end)

    @contextmanager
    def _ahead(self, place: Callable[[], int]) -> Iterator[None]:
        """Nodes that are put at a place among those that run ahead, once they are all there."""
        aside = Block()
        self._stack.append(aside)
        try:
            yield
        finally:
            self._stack.pop()
            self.top.nodes[place() : place()] = aside.nodes
            self._prologue_end += len(aside.nodes)

    @contextmanager
    def _inside(self, block: Block) -> Iterator[None]:
        self._stack.append(block)
        try:
            yield
        finally:
            self._stack.pop()
