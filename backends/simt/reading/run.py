"""The text of a kernel carried out over lanes, its data unknown unless given: what its accesses and statements come to.

Loops whose turns differ in nothing that is counted are looked at once; long ones, and large grids, at a sample of uneven
distances with the first and the last apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from uol.backends.simt.reading.alike_turns import has_like_turns
from uol.backends.simt.reading.calls import SEARCHES, Reader, bytes_of, issue, search, times
from uol.backends.simt.reading.counts import Counts, Ends, Ints, sample
from uol.backends.simt.reading.facts import Facts, Flags, LoopFacts
from uol.backends.simt.reading.lanes import Active, Touched, Value, chosen, computed, is_one_place, joined, sectors
from uol.backends.simt.reading.lookups import Looked, found_by
from uol.backends.simt.reading.loops import arrays_in, counters_of, set_in, trips
from uol.backends.simt.reading.syntax import (
    Branch,
    Element,
    KernelText,
    Leave,
    Loop,
    Name,
    Node,
    Number,
    Operation,
    Simple,
    Statement,
)
from uol.backends.simt.reading.units import (
    PLACES,
    is_counted,
    memory_of,
    operations_in,
    operations_of,
    places_in,
    type_of,
    types_of,
    unit_of,
    vector_access,
    vectors_of,
)
from uol.backends.simt.schedules import SECTOR_BYTES
from uol.ir.integers.intervals import EVERYTHING, Interval

MANY = 1 << 31
"""Turns of a loop of which nothing is known."""


@dataclass(slots=True)
class Reading:
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
    issuing: Active | None = None
    """Who issues what stands behind a predicate."""
    touched: dict[tuple[str, str], list[Touched]] = field(default_factory=dict)
    """By the statement at hand, of global memory: by kind and tensor."""
    facts: dict[int, Facts] = field(default_factory=dict)
    loops: dict[int, LoopFacts] = field(default_factory=dict)
    visits: int = 0
    """Expressions that were evaluated: what the reading costs."""
    types: Mapping[str, str] = field(init=False)
    vectors: Mapping[str, int] = field(init=False)
    tensors: frozenset[str] = field(init=False)
    places: frozenset[str] = field(init=False)
    memory: frozenset[str] = field(init=False)
    readers: tuple[Reader, ...] = field(init=False)

    def __post_init__(self) -> None:
        self.types = types_of(self.kernel)
        self.vectors = vectors_of(self.kernel)
        self.tensors = frozenset(p.name for p in self.kernel.parameters if p.pointer)
        self.places = places_in(self.kernel)
        self.memory = memory_of(self.kernel)
        self.readers = tuple(Reader(w, self.threads, self.types, self.tensors, self.places) for w in self.widths)

    def run(self) -> dict[int, Counts]:
        """The counts by the width of warps."""
        everyone = np.ones((len(self.blocks), self.threads), bool)
        with np.errstate(divide="ignore"):
            self.body(self.kernel.body, Active(everyone, everyone))
        return {reader.width: reader.counts for reader in self.readers}

    def add(self, kind: str, name: str, ends: Ends) -> None:
        """A count that warps have no part in."""
        for reader in self.readers:
            reader.counts.add(kind, name, ends)

    # ---- statements

    def body(self, body: Iterable[Statement], active: Active) -> None:
        """The statements of a scope, up to where all lanes have left it."""
        for statement in body:
            if active.is_empty:
                return
            match statement:
                case Simple():
                    self.simple(statement, active)
                case Loop():
                    self.loop(statement, active)
                case Branch(condition=condition, body=inner):
                    holds = self.condition(condition, active)
                    if any(isinstance(s, Leave) for s in inner):
                        active = active.where(holds, holds=False)
                    elif isinstance(condition, Element) and isinstance(holds, np.ndarray):
                        self.predicated(inner, active, holds)
                    else:
                        self.branch(inner, active, holds)

    def branch(self, body: Iterable[Statement], active: Active, holds: Value) -> None:
        """What is carried out where a condition holds: elsewhere names keep their values."""
        before = dict(self.values)
        self.body(body, active.where(holds))
        for name, value in before.items():
            if self.values[name] is not value:
                self.values[name] = chosen(holds, self.values[name], value)

    def predicated(self, body: tuple[Statement, ...], active: Active, holds: Value) -> None:
        """What stands behind a truth value that threads keep: a warp issues it, whether that holds for any lane or not."""
        if active.where(holds).is_empty:
            for step in body:
                if isinstance(step, Simple):
                    self.operations(self.facts_of(step), active)
            return
        self.issuing = active
        self.branch(body, active, holds)
        self.issuing = None

    def simple(self, step: Simple, active: Active) -> None:
        if step.shared:
            return
        facts = self.facts_of(step)
        if facts.unit:
            self.add("statement", facts.unit, active.lanes)
        self.operations(facts, self.issuing or active)
        value = EVERYTHING if step.value is None else self.value(step.value, active)
        match step.target:
            case Element(array=array, index=index):
                place = self.index(index, active)
                self.access("store", array, place, active)
                if self.types.get(array) == "bool" and array not in self.memory:
                    self.flags.keep(array, place, value)
            case Name(name=name) if step.update == "=":
                self.values[name] = value
            case Name(name=name):
                self.values[name] = computed(step.update[0], (self.named(name), value))
        self.move(active)

    def condition(self, condition: Node, active: Active) -> Value:
        """The value of a condition that is no statement's."""
        self.operations(self.facts_of(condition), active)
        found = self.value(condition, active)
        self.move(active)
        return found

    def operations(self, facts: Facts, active: Active) -> None:
        """A warp issues an operation for all of its lanes."""
        for reader in self.readers:
            for unit, number in facts.operations:
                reader.counts.add("operation", unit, times(number * reader.width, active.warps(reader.width)))

    def facts_of(self, part: Simple | Node) -> Facts:
        """What a statement or a condition is, found once."""
        if id(part) not in self.facts:
            self.facts[id(part)] = self.found_of(part)
        return self.facts[id(part)]

    def found_of(self, part: Simple | Node) -> Facts:
        if not isinstance(part, Simple):
            return Facts("", tuple(operations_of(part, self.types).items()))
        if not is_counted(part):
            return Facts("", ())
        return Facts(unit_of(part, self.types, self.memory), tuple(operations_in(part, self.types).items()))

    # ---- loops

    def loop(self, loop: Loop, active: Active) -> None:
        for step in loop.init:
            assert isinstance(step.target, Name) and step.value is not None
            self.values[step.target.name] = self.value(step.value, active)
        found = trips(loop, lambda node: self.value(node, active), self.values)
        if isinstance(found, Interval):
            if self.data and self.is_decided(loop, active):
                self.decided_turns(loop, active)
                return
            self.unknown_turns(loop, found, active)
        elif self.is_read_once(loop, found):
            turns = int(found.flat[0])
            self.forget(loop, but=loop.variable)
            self.flags.forget(self.loop_facts(loop).arrays)
            if turns:
                self.body(loop.body, active.turns(turns, turns))
        else:
            self.turns(loop, np.broadcast_to(found, active.sure.shape), active)
        self.forget(loop)

    def is_read_once(self, loop: Loop, turns: Ints) -> bool:
        """Does one turn stand for all, of which each lane has as many?"""
        facts = self.loop_facts(loop)
        keeps_flags = bool(self.data) and any(self.types.get(array) == "bool" for array in facts.arrays)
        return facts.alike and not keeps_flags and bool((turns == turns.flat[0]).all())

    def loop_facts(self, loop: Loop) -> LoopFacts:
        if id(loop) not in self.loops:
            sizes = {name: bytes_of(self.types[name]) for name in self.tensors}
            self.loops[id(loop)] = LoopFacts(set_in(loop), arrays_in(loop), has_like_turns(loop, sizes))
        return self.loops[id(loop)]

    def unknown_turns(self, loop: Loop, found: Interval, active: Active) -> None:
        """As many as data says: one turn, in which the counters of the header are somewhere behind their first values."""
        counters = counters_of(loop, lambda node: self.value(node, active), self.values)
        self.forget(loop)
        self.flags.forget(self.loop_facts(loop).arrays)
        self.values |= counters
        inner = active.turns(found.low or 0, MANY if found.high is None else found.high)
        self.value(loop.condition, inner)
        self.move(inner)
        self.body(loop.body, inner)

    def is_decided(self, loop: Loop, active: Active) -> bool:
        """Is it known, by what tensors hold, whether a lane takes another turn?"""
        readers, values = self.readers, dict(self.values)
        self.readers = tuple(map(Reader.apart, readers))
        found = self.value(loop.condition, active)
        self.touched.clear()
        self.readers, self.values = readers, values
        return isinstance(found, np.ndarray)

    def decided_turns(self, loop: Loop, active: Active) -> None:
        """Turn by turn, each by the lanes that take it; behind the loop all that it has set is known."""
        while True:
            holds = self.value(loop.condition, active)
            self.move(active)
            active = active.where(holds)
            if active.is_empty:
                return
            steps = () if loop.step is None else (loop.step,)
            self.branch(loop.body, active, holds)
            for step in steps:
                assert isinstance(step.target, Name) and step.value is not None
                before, found = self.named(step.target.name), self.value(step.value, active)
                after = found if step.update == "=" else computed(step.update[0], (before, found))
                self.values[step.target.name] = chosen(active.maybe.astype(np.int64), after, before)

    def turns(self, loop: Loop, found: Ints, active: Active) -> None:
        """Turn by turn, or some of them."""
        most = int(found[active.maybe].max(initial=0))
        read = sample(most, self.turns_read)
        whole, pieces = self.readers, []
        first, step = self.values[loop.variable], self.step_of(loop, active)
        for turn in read:
            is_inner = len(read) < most and 0 < turn < most - 1
            self.readers = tuple(map(Reader.apart, whole)) if is_inner else whole
            if len(read) < most:
                self.forget(loop)
                self.flags.forget(self.loop_facts(loop).arrays)
            self.values[loop.variable] = computed("+", (first, turn * step))
            self.body(loop.body, active.where((found > turn).astype(np.int64)))
            pieces += [self.readers] if is_inner else []
        self.readers = whole
        for reader, *parts in zip(whole, *pieces, strict=True):
            reader.counts.add_sample([part.counts for part in parts], most - 2)

    def step_of(self, loop: Loop, active: Active) -> Ints:
        assert loop.step is not None and loop.step.value is not None
        found = self.value(loop.step.value, active)
        assert isinstance(found, np.ndarray)
        return found

    def forget(self, loop: Loop, but: str = "") -> None:
        """What a loop sets is not known behind it, nor in a turn that stands for others."""
        self.values |= {name: EVERYTHING for name in self.loop_facts(loop).sets if name != but}

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
        """A value among keys: where these are known, its place is."""
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
