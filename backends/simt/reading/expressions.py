"""Expressions of a kernel carried out over lanes: their values, as far as they are known, and what their accesses move."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from uol.backends.simt.machine.limits import SECTOR_BYTES
from uol.backends.simt.reading.calls import SEARCHES, Reader, bytes_of, issue, search, times
from uol.backends.simt.reading.counts import Ends, Ints
from uol.backends.simt.reading.facts import Facts, Flags, Frame, LoopFacts
from uol.backends.simt.reading.kernel_facts import facts_of_kernel
from uol.backends.simt.reading.lanes import Active, Touched, Value, chosen, computed, is_one_place, joined, range_of, sectors
from uol.backends.simt.reading.lookups import Looked, found_by
from uol.backends.simt.reading.merged import Issue
from uol.backends.simt.reading.syntax import (
    Element,
    KernelText,
    Name,
    Node,
    Number,
    Operation,
)
from uol.backends.simt.reading.units import (
    PLACES,
    type_of,
    vector_access,
)
from uol.ir.integers.intervals import EVERYTHING


@dataclass(slots=True)
class Expressions:
    """One kernel on some of the blocks of a grid, in warps of each of the `widths`; of a long loop so many turns are read."""

    kernel: KernelText
    blocks: Ints
    grid: int
    threads: int
    widths: Sequence[int]
    turns_read: int
    values: dict[str, Value] = field(default_factory=dict)
    data: Mapping[str, Ints] = field(default_factory=dict)
    """What tensors hold, of those of which it is known: loops and conditions that they decide are carried out."""
    flags: Flags = field(default_factory=Flags)
    frames: list[Frame] = field(default_factory=list)
    issuing: Active | None = None
    """Who issues what stands behind a predicate."""
    touched: dict[tuple[str, str], list[Touched]] = field(default_factory=dict)
    """What the statement at hand touches of global memory, by kind and tensor."""
    visits: int = 0
    """Expressions that were evaluated: what the reading costs."""
    types: Mapping[str, str] = field(init=False)
    merged: Mapping[int, tuple[Issue, ...]] = field(init=False)
    vectors: Mapping[str, int] = field(init=False)
    tensors: frozenset[str] = field(init=False)
    places: frozenset[str] = field(init=False)
    memory: frozenset[str] = field(init=False)
    facts: dict[int, Facts] = field(init=False)
    loops: dict[int, LoopFacts] = field(init=False)
    readers: tuple[Reader, ...] = field(init=False)

    def __post_init__(self) -> None:
        known = facts_of_kernel(self.kernel)
        self.types, self.merged, self.vectors, self.tensors = known.types, known.merged, known.vectors, known.tensors
        self.places, self.memory, self.facts, self.loops = known.places, known.memory, known.statements, known.loops
        self.readers = tuple(Reader(w, self.threads, self.types, self.tensors, self.places) for w in self.widths)

    def add(self, kind: str, name: str, ends: Ends) -> None:
        """A count that warps have no part in."""
        for reader in self.readers:
            reader.counts.add(kind, name, ends)

    # ---- expressions

    def value(self, node: Node, active: Active) -> Value:
        """The value of an expression for the lanes that evaluate it; its accesses are counted."""
        self.visits += 1
        match node:
            case Number(value=value):
                return EVERYTHING if value is None else np.array([[value]], np.int64)
            case Name(name=name):
                return self.named(name)
            case Element(array=array, index=index):
                return self.loaded(array, self.index(index, active), active)
            case Operation(fn="&&" | "||" as fn, args=(left, right)):
                first = self.value(left, active)
                return joined(fn, first, self.value(right, active.where(first, holds=fn == "&&")))
            case Operation(fn="?:", args=(condition, yes, no)):
                holds = self.value(condition, active)
                then = self.value(yes, active.where(holds))
                return chosen(holds, then, self.value(no, active.where(holds, holds=False)))
            case Operation(fn="cast", args=(inner,)):
                return self.converted(node, inner, active)
            case Operation(fn=".x", args=(Name(name=name),)):
                return self.builtin(name)
            case Operation(fn="++", args=(Name(name=name),)):
                before, after = self.named(name), computed("+", (self.named(name), np.array([[1]], np.int64)))
                self.values[name] = chosen(active.maybe.astype(np.int64), after, before) if self.data else after
                return after
            case Operation(fn="+", args=(Name(name=name), behind)) if name in self.memory:
                return self.value(behind, active)  # an address
        assert isinstance(node, Operation)
        return self.called(node, active)

    def called(self, node: Operation, active: Active) -> Value:
        args = tuple(self.value(a, active) for a in node.args if not (isinstance(a, Name) and a.name in self.memory))
        if vector := vector_access(node):
            what, tensor, _ = vector
            self.access(what, tensor, args[0], active, self.elements_of(node))
            return EVERYTHING
        if node.fn == "atomic_add" and isinstance(node.args[0], Name):
            self.access("store", node.args[0].name, args[0], active)
            return EVERYTHING
        if node.fn in SEARCHES:
            return self.search(node, args, active)
        within = [issue(node, args, active, reader) for reader in self.readers][0]
        return computed(node.fn, args) if within is None else within

    def loaded(self, array: str, place: Value, active: Active) -> Value:
        self.access("load", array, place, active)
        if array in self.data and isinstance(place, np.ndarray):
            held = self.data[array]
            return held[np.clip(place, 0, len(held) - 1)]
        if (flag := self.flags.at(array, place)) is not None:
            return flag
        found = found_by(array, [place]) if array in self.places else None
        return EVERYTHING if found is None else found

    def converted(self, cast: Node, inner: Node, active: Active) -> Value:
        """What is known by where it lies is another value in another type, but for a wider integer."""
        found = self.value(inner, active)
        if not isinstance(found, Looked):
            return found
        before, after = type_of(inner, self.types), type_of(cast, self.types)
        is_same = before in PLACES and after in PLACES[PLACES.index(before) :]
        return found if is_same else EVERYTHING

    def search(self, node: Operation, args: tuple[Value, ...], active: Active) -> Value:
        """A value among keys: where these are known, its place is. It halves them, each time by what it has read."""
        steps = (range_of(args[-2]).high or 0).bit_length()
        self.add("wait", "memory", times(steps, active.blocks))
        found = [search(node, args, active, reader) for reader in self.readers][0]
        keys, wanted = node.args[0], args[-1]
        if not isinstance(keys, Name) or keys.name not in self.data or not isinstance(wanted, np.ndarray):
            return found
        return np.asarray(np.searchsorted(self.data[keys.name], wanted, "left" if node.fn == "lower_bound" else "right"))

    def named(self, name: str) -> Value:
        return self.values.get(name, EVERYTHING)

    def builtin(self, name: str) -> Value:
        """`threadIdx.x` and its like."""
        return {
            "blockIdx": self.blocks.reshape(-1, 1),
            "threadIdx": np.arange(self.threads, dtype=np.int64).reshape(1, -1),
            "gridDim": np.array([[self.grid]], np.int64),
            "blockDim": np.array([[self.threads]], np.int64),
        }[name]

    # ---- memory

    def index(self, index: tuple[Node, ...], active: Active) -> Value:
        """The first index of an access, which is the only one of a tensor; where in shared memory does not matter."""
        return [self.value(part, active) for part in index][0]

    def elements_of(self, call: Operation) -> int:
        """How many a call for several side by side moves: its own parameter, or that of the vector that it stores."""
        stored = call.args[2]
        return int(call.parameters[0]) if call.parameters or not isinstance(stored, Name) else self.vectors[stored.name]

    def access(self, what: str, array: str, place: Value, active: Active, elements: int = 1) -> None:
        if array in self.tensors:
            self.touched.setdefault((what, array), []).append((place, active.sure, active.maybe))
            size = bytes_of(self.types[array]) * elements
            if not is_one_place(place, min(self.widths)):
                self.add("access", f"{array} {size}", times(size, active.lanes))
        elif array in self.memory:
            self.add("scratch", what, times(bytes_of(self.types[array]), active.lanes))

    def move(self, active: Active) -> None:
        """Counts what the statement at hand has touched of global memory."""
        for (what, array), accesses in self.touched.items():
            for reader in self.readers:
                least, most = sectors(accesses, bytes_of(self.types[array]), reader.width)
                bytes_moved = least * active.least * SECTOR_BYTES, most * active.most * SECTOR_BYTES
                reader.counts.add(what, array, bytes_moved)
        self.touched.clear()
