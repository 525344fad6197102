"""The text of a kernel carried out over lanes, its data unknown: what its accesses, statements and primitives come to.

Loops whose turns differ in nothing that is counted are looked at once; long ones, and large grids, at a sample of uneven
distances with the first and the last apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from uol.backends.simt.reading.calls import bytes_of, issue, times
from uol.backends.simt.reading.counts import Counts, Ends, Ints, sample
from uol.backends.simt.reading.lanes import SECTOR_BYTES, Active, Mask, Numbers, Value, computed, sectors, warps_of
from uol.backends.simt.reading.loops import differing, has_like_turns, set_in, trips
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
    walk,
)
from uol.backends.simt.reading.units import is_counted, memory_of, operations_in, operations_of, types_of, unit_of
from uol.ir.integers.intervals import EVERYTHING, Interval

MANY = 1 << 31
"""Turns of a loop of which nothing is known."""


@dataclass(frozen=True, slots=True)
class Facts:
    """Of a statement: its unit (none where it is not counted), and the operations in it."""

    unit: str
    operations: tuple[tuple[str, int], ...]


@dataclass(slots=True)
class Reading:
    """One kernel on some of the blocks of a grid; of a long loop so many turns are read."""

    kernel: KernelText
    blocks: Ints
    grid: int
    threads: int
    width: int
    turns_read: int
    counts: Counts = field(default_factory=Counts)
    values: dict[str, Value] = field(default_factory=dict)
    numbers: Numbers = field(default_factory=Numbers)
    loaded: dict[object, Mask] = field(default_factory=dict)
    facts: dict[int, Facts] = field(default_factory=dict)
    alike: dict[int, tuple[bool, frozenset[str]]] = field(default_factory=dict)
    visits: int = 0
    """Expressions that were evaluated: what the reading costs."""
    interval: int = 0
    """Between barriers: what shared memory holds is the same."""
    types: Mapping[str, str] = field(init=False)
    tensors: frozenset[str] = field(init=False)
    memory: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        self.types = types_of(self.kernel)
        self.tensors = frozenset(p.name for p in self.kernel.parameters if p.pointer)
        self.memory = memory_of(self.kernel)

    def run(self) -> Counts:
        everyone = np.ones((len(self.blocks), self.threads), bool)
        self.body(self.kernel.body, Active(everyone, everyone, self.width))
        return self.counts

    def is_shared(self, array: str) -> bool:
        return array in self.memory and array not in self.tensors

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
                    self.compared(condition, active)
                    holds = self.value(condition, active)
                    if any(isinstance(s, Leave) for s in inner):
                        active = active.where(holds, holds=False)
                    else:
                        self.body(inner, active.where(holds))

    def simple(self, step: Simple, active: Active) -> None:
        if step.shared:
            return
        facts = self.facts_of(step)
        if facts.unit:
            self.counts.add("statement", facts.unit, active.lanes)
        for unit, number in facts.operations:
            self.counts.add("operation", unit, times(number * self.width, active.warps))
        value = self.value(step.value, active) if step.value is not None else self.unknown()
        match step.target:
            case Element(array=array, index=index):
                places = self.index(index, active)
                if array in self.memory:
                    self.access(array, places, index, active, store=True)
            case Name(name=name):
                self.values[name] = value if step.update == "=" else self.updated(name, step.update[0], value)

    def updated(self, name: str, fn: str, value: Value) -> Value:
        old = self.values.get(name)
        return self.unknown() if old is None else computed(fn, (old, value), self.numbers)

    def compared(self, condition: Node, active: Active) -> None:
        """The operations of a condition that is no statement's."""
        for unit, number in self.facts_of(condition).operations:
            self.counts.add("operation", unit, times(number * self.width, active.warps))

    def facts_of(self, part: Simple | Node) -> Facts:
        """What a statement or a condition is, found once. A warp issues an operation for all of its lanes."""
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
            self.unknown_turns(loop, found, active)
        elif self.is_alike(loop) and found.size and (found == found.flat[0]).all():
            turns = int(found.flat[0])
            self.forget(loop, but=loop.variable)
            if turns:
                self.body(loop.body, active.alike(self.alike[id(loop)][1], turns))
        else:
            self.turns(loop, np.broadcast_to(found, active.sure.shape), active)
        self.forget(loop)

    def is_alike(self, loop: Loop) -> bool:
        if id(loop) not in self.alike:
            self.alike[id(loop)] = has_like_turns(loop, self.tensors), differing(loop)
        return self.alike[id(loop)][0]

    def unknown_turns(self, loop: Loop, found: Interval, active: Active) -> None:
        """As many as data says: one turn, in which the counters of the header are somewhere between their ends."""
        counters = {s.target.name: self.values[s.target.name].range.low for s in loop.init if isinstance(s.target, Name)}
        self.forget(loop)
        self.values |= {name: self.unknown(Interval(low, None)) for name, low in counters.items()}
        inner = active.turns(found.low or 0, MANY if found.high is None else found.high)
        self.value(loop.condition, inner)
        self.body(loop.body, inner)

    def turns(self, loop: Loop, found: Ints, active: Active) -> None:
        """Turn by turn, or some of them."""
        most = int(found[active.maybe].max(initial=0))
        chosen = sample(most, self.turns_read)
        whole, pieces = self.counts, []
        first = self.values[loop.variable]
        for turn in chosen:
            inner = len(chosen) < most and 0 < turn < most - 1
            self.counts = Counts() if inner else whole
            if len(chosen) < most:
                self.forget(loop)
            self.values[loop.variable] = self.turn_of(loop, first, turn)
            condition = Value((found > turn).astype(np.int64), self.numbers.new())
            self.body(loop.body, active.where(condition))
            pieces += [self.counts] if inner else []
        self.counts = whole
        if pieces:
            whole.add_sample(pieces, most - 2)

    def turn_of(self, loop: Loop, first: Value, turn: int) -> Value:
        assert loop.step is not None and loop.step.value is not None and not isinstance(first.data, Interval)
        step = self.values[loop.step.value.name] if isinstance(loop.step.value, Name) else self.quiet(loop.step.value)
        assert not isinstance(step.data, Interval)
        return Value(first.data + turn * step.data, self.numbers.of("turn", id(loop), turn, first.number))

    def quiet(self, node: Node) -> Value:
        """The value of an expression that accesses nothing."""
        nobody = np.zeros((len(self.blocks), self.threads), bool)
        return self.value(node, Active(nobody, nobody, self.width))

    def forget(self, loop: Loop, but: str = "") -> None:
        """What a loop sets is not known behind it, nor in a turn that stands for others."""
        self.values |= {name: self.unknown() for name in set_in(loop) if name != but}

    # ---- expressions

    def unknown(self, within: Interval = EVERYTHING) -> Value:
        return Value(within, self.numbers.new())

    def constant(self, number: int) -> Value:
        return Value(np.array([[number]], np.int64), self.numbers.of("constant", number))

    def value(self, node: Node, active: Active) -> Value:
        """The value of an expression for the lanes that evaluate it; its accesses are counted."""
        self.visits += 1
        match node:
            case Number(value=value):
                return self.unknown() if value is None else self.constant(value)
            case Name(name=name):
                return self.named(name)
            case Element(array=array, index=index):
                places = self.index(index, active)
                return self.access(array, places, index, active, store=False) if array in self.memory else self.unknown()
            case Operation(fn="&&" | "||" as fn, args=(left, right)):
                first = self.value(left, active)
                second = self.value(right, active.where(first, holds=fn == "&&"))
                return self.joined(fn, first, second)
            case Operation(fn="?:", args=(condition, yes, no)):
                chosen = self.value(condition, active)
                return self.choice(
                    chosen, self.value(yes, active.where(chosen)), self.value(no, active.where(chosen, holds=False))
                )
            case Operation(fn="cast", args=(inner,)):
                return self.value(inner, active)
            case Operation(fn=".x", args=(Name(name=name),)):
                return self.builtin(name)
            case Operation(fn="++", args=(Name(name=name),)):
                self.values[name] = computed("+", (self.named(name), self.constant(1)), self.numbers)
                return self.values[name]
        assert isinstance(node, Operation)
        return self.called(node, active)

    def called(self, node: Operation, active: Active) -> Value:
        args = tuple(self.value(a, active) for a in node.args if not (isinstance(a, Name) and a.name in self.memory))
        if (within := issue(node, args, active, self)) is not None:
            return self.unknown(within)
        return computed(node.fn, args, self.numbers)

    def joined(self, fn: str, first: Value, second: Value) -> Value:
        number = self.numbers.of(fn, first.number, second.number)
        if isinstance(first.data, Interval) or isinstance(second.data, Interval):
            known = second if isinstance(first.data, Interval) else first
            stops = 0 if fn == "&&" else 1
            if not isinstance(known.data, Interval) and (known.data == stops).all():
                return Value(known.data, number)
            return Value(Interval(0, 1), number)
        join = np.logical_and if fn == "&&" else np.logical_or
        return Value(join(first.data != 0, second.data != 0).astype(np.int64), number)

    def choice(self, condition: Value, yes: Value, no: Value) -> Value:
        number = self.numbers.of("?:", condition.number, yes.number, no.number)
        if isinstance(condition.data, Interval) or isinstance(yes.data, Interval) or isinstance(no.data, Interval):
            return Value(yes.range.union(no.range), number)
        return Value(np.where(condition.data != 0, yes.data, no.data), number)

    def named(self, name: str) -> Value:
        if name == "warp_width":
            return self.constant(self.width)
        return self.values.setdefault(name, self.unknown())

    def builtin(self, name: str) -> Value:
        data = {
            "blockIdx": self.blocks.reshape(-1, 1),
            "threadIdx": np.arange(self.threads, dtype=np.int64).reshape(1, -1),
            "gridDim": np.array([[self.grid]], np.int64),
            "blockDim": np.array([[self.threads]], np.int64),
        }
        return Value(data[name], self.numbers.of(name)) if name in data else self.unknown()

    # ---- memory

    def index(self, index: tuple[Node, ...], active: Active) -> tuple[Value, ...]:
        return tuple(self.value(part, active) for part in index)

    def access(self, array: str, places: tuple[Value, ...], index: tuple[Node, ...], active: Active, *, store: bool) -> Value:
        """Counts one access by all lanes, and gives what it reads. What was read before may still be in a register."""
        key = (array, *(p.number for p in places), self.interval if self.is_shared(array) else 0)
        if store:
            self.moved(array, places, "store", (active.sure, active.maybe), (active.least, active.most))
            return self.unknown()
        names = frozenset(n.name for part in index for n in walk(part) if isinstance(n, Name))
        known = self.loaded.get(key)
        sure = active.sure if known is None else active.sure & ~known
        self.moved(array, places, "load", (sure, active.maybe), (active.least_for(names), active.most))
        self.loaded[key] = active.maybe if known is None else active.maybe | known
        return Value(EVERYTHING, self.numbers.of("read", key))

    def moved(self, array: str, places: tuple[Value, ...], what: str, masks: tuple[Mask, Mask], turns: tuple[int, int]) -> None:
        size = bytes_of(self.types[array])
        if self.is_shared(array):
            least, most = (mask.sum(axis=1) * size * number for mask, number in zip(masks, turns, strict=True))
            self.counts.add("scratch", what, (least, most))
            return
        least, most = self.sectors(places[0], size, *masks)
        self.counts.add(what, array, (least * turns[0] * SECTOR_BYTES, most * turns[1] * SECTOR_BYTES))

    def sectors(self, place: Value, size: int, sure: Mask, maybe: Mask) -> Ends:
        """Of each block; where data says the place, one a warp at least and one a lane at most."""
        if isinstance(place.data, Interval):
            return warps_of(sure, self.width), maybe.sum(axis=1)
        index = np.broadcast_to(place.data, maybe.shape)
        most = sectors(index, size, maybe, self.width)
        return (most if sure is maybe or (sure == maybe).all() else sectors(index, size, sure, self.width)), most
