"""The text of a kernel carried out over lanes, its data unknown unless given: what its accesses and statements come to.

Loops whose turns differ in nothing that is counted are looked at once; long ones, and large grids, at a sample of uneven
distances with the first and the last apart.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import count

import numpy as np

from uol.backends.simt.reading.addresses import Addresses
from uol.backends.simt.reading.alike_turns import has_like_turns
from uol.backends.simt.reading.calls import Reader, bytes_of, times
from uol.backends.simt.reading.counts import Counts, Ints, sample
from uol.backends.simt.reading.facts import Facts, Frame, LoopFacts, once
from uol.backends.simt.reading.lanes import Active, Value, chosen, computed
from uol.backends.simt.reading.loops import arrays_in, counters_of, set_in, trips
from uol.backends.simt.reading.merged import is_unrolled
from uol.backends.simt.reading.stepping import Steps, stepped_in
from uol.backends.simt.reading.syntax import Branch, Element, Leave, Loop, Name, Node, Simple, Statement
from uol.backends.simt.reading.units import is_counted, unit_of
from uol.backends.simt.reading.waits import turns_together
from uol.ir.integers.intervals import EVERYTHING, Interval

MANY = 1 << 31
"""Turns of a loop of which nothing is known."""


@dataclass(slots=True)
class Reading(Addresses):
    """The statements of a kernel, by its expressions. `longest`: the most turns that each block has of a loop whose turns are
    read one by one; `uneven`: all its turns of those loops of which blocks have different numbers. `staying`: how many of a
    block's threads may go on behind the last place where some leave."""

    longest: Ints = field(init=False)
    uneven: Ints = field(init=False)
    staying: Ints = field(init=False)

    def run(self) -> dict[int, Counts]:
        """The counts by the width of warps."""
        self.longest = np.zeros(len(self.blocks), np.int64)
        self.uneven = np.zeros(len(self.blocks), np.int64)
        self.staying = np.full(len(self.blocks), self.threads)
        everyone = np.ones((len(self.blocks), self.threads), bool)
        with np.errstate(divide="ignore"):
            self.body(self.kernel.body, Active(everyone, everyone))
        return {reader.width: reader.counts for reader in self.readers}

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
                        self.staying = np.minimum(self.staying, active.maybe.sum(axis=1)) if not self.frames else self.staying
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
        value = self.assigned(step, active)
        match step.target:
            case Element(array=array, index=index):
                self.stored(step, array, self.index(index, active), value, active)
            case Name(name=name) if step.update == "=":
                self.values[name] = value
            case Name(name=name):
                self.values[name] = computed(step.update[0], (self.named(name), value))
        self.move(active)

    def stored(self, step: Simple, array: str, place: Value, value: Value, active: Active) -> None:
        """An element gets a value."""
        if self.is_kept(array):
            before = self.flags.at(array, place) if step.update != "=" else None
            after = value if step.update == "=" else EVERYTHING if before is None else computed(step.update[0], (before, value))
            self.flags.keep(array, place, after)
        elif array in self.bases and array not in self.memory:
            self.element("store", array, place, active)
        else:
            self.access("store", array, place, active)

    def condition(self, condition: Node, active: Active) -> Value:
        """The value of a condition that is no statement's."""
        self.operations(self.facts_of(condition), active)
        found = self.value(condition, active)
        self.move(active)
        return found

    def operations(self, facts: Facts, active: Active) -> None:
        """A warp issues an operation for all of its lanes."""
        for each in facts.issues:
            outside = [frame for frame in self.frames if frame.loop not in each.varies]
            if all(frame.is_first for frame in outside):
                for reader in self.readers:
                    ends = once(active.warps(reader.width), outside)
                    reader.counts.add("operation", each.unit, times(each.number * reader.width, ends))

    def facts_of(self, part: Simple | Node) -> Facts:
        """What a statement or a condition is, found once."""
        if id(part) not in self.facts:
            self.facts[id(part)] = self.found_of(part)
        return self.facts[id(part)]

    def found_of(self, part: Simple | Node) -> Facts:
        if not isinstance(part, Simple):
            return Facts("", self.merged.get(id(part), ()))
        if not is_counted(part):
            return Facts("", ())
        return Facts(unit_of(part, self.types, self.memory), self.merged[id(part)])

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
            self.wait(loop, (found.low or 0, found.high or found.low or 0), active)
            self.unknown_turns(loop, found, active)
        elif self.is_read_once(loop, found):
            turns = int(found.flat[0])
            self.wait(loop, (turns, turns), active)
            self.forget(loop, but=loop.variable)
            self.flags.forget(self.loop_facts(loop).arrays)
            if turns:
                self.frames.append(Frame(id(loop), True, turns, turns))
                self.body(loop.body, active.turns(turns, turns))
                self.frames.pop()
        else:
            found = np.broadcast_to(found, active.sure.shape)
            longest = np.where(active.maybe, found, 0).max(axis=1)
            self.longest = np.maximum(self.longest, longest)
            self.uneven += longest if len(np.unique(longest[longest > 0])) > 1 else 0
            self.wait(loop, (longest, longest), active)
            if self.data and int(longest.max(initial=0)) <= self.turns_read:
                self.known_turns(loop, found, active)
                return
            self.turns(loop, found, active)
        self.forget(loop)

    def wait(self, loop: Loop, turns: tuple[int | Ints, int | Ints], active: Active) -> None:
        """For what a loop loads: its longest thread waits for the turns that are on their way together, one after another."""
        together = self.loop_facts(loop).together
        if together == 1 or (together and not is_unrolled(loop)):
            least, most = (-(-np.asarray(each) // together) for each in turns)
            low, high = active.blocks
            self.add("wait", "memory", (low * least, high * most))

    def is_read_once(self, loop: Loop, turns: Ints) -> bool:
        """Does one turn stand for all, of which each lane has as many?"""
        facts = self.loop_facts(loop)
        keeps_flags = bool(self.data) and any(self.types.get(array) == "bool" for array in facts.arrays)
        keeps_places = self.is_on_matrix_units and is_unrolled(loop) and any(map(self.is_kept, facts.arrays))
        return facts.alike and not keeps_flags and not keeps_places and bool((turns == turns.flat[0]).all())

    def loop_facts(self, loop: Loop) -> LoopFacts:
        if id(loop) not in self.loops:
            sizes = {name: bytes_of(self.types[name]) for name in self.tensors}
            self.loops[id(loop)] = LoopFacts(
                set_in(loop), arrays_in(loop), has_like_turns(loop, sizes), turns_together(loop, self.tensors), stepped_in(loop)
            )
        return self.loops[id(loop)]

    def unknown_turns(self, loop: Loop, found: Interval, active: Active) -> None:
        """As many as data says: one turn, in which the counters of the header are somewhere behind their first values."""
        counters = counters_of(loop, lambda node: self.value(node, active), self.values)
        self.forget(loop)
        self.flags.forget(self.loop_facts(loop).arrays)
        self.values |= counters
        least, most = found.low or 0, MANY if found.high is None else found.high
        inner = active.turns(least, most)
        self.value(loop.condition, inner)
        self.move(inner)
        self.frames.append(Frame(id(loop), True, least, most))
        self.body(loop.body, inner)
        self.frames.pop()

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
        for turn in count():
            holds = self.value(loop.condition, active)
            self.move(active)
            active = active.where(holds)
            if active.is_empty:
                return
            self.wait(loop, (1, 1), active)
            self.frames.append(Frame(id(loop), turn == 0, 1, 1))
            self.branch(loop.body, active, holds)
            self.frames.pop()
            for step in () if loop.step is None else (loop.step,):
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
        steps = Steps(self, self.loop_facts(loop).steps)
        for turn in read:
            is_inner = len(read) < most and 0 < turn < most - 1
            self.readers = tuple(map(Reader.apart, whole)) if is_inner else whole
            if len(read) < most:
                self.forget(loop)
                self.flags.forget(self.loop_facts(loop).arrays)
                steps.go_to(turn)
            self.values[loop.variable] = computed("+", (first, turn * step))
            self.frames.append(Frame(id(loop), turn == 0, 1, 1))
            self.body(loop.body, active.where((found > turn).astype(np.int64)))
            self.frames.pop()
            pieces += [self.readers] if is_inner else []
            if turn == 0:
                steps.found()
        self.readers = whole
        for reader, *parts in zip(whole, *pieces, strict=True):
            reader.counts.add_sample([part.counts for part in parts], most - 2)

    def known_turns(self, loop: Loop, found: Ints, active: Active) -> None:
        """Every turn, of data that is known: what they find out is known behind them, too."""
        first, step = self.values[loop.variable], self.step_of(loop, active)
        for turn in range(int(found[active.maybe].max(initial=0))):
            self.values[loop.variable] = computed("+", (first, turn * step))
            self.frames.append(Frame(id(loop), turn == 0, 1, 1))
            self.branch(loop.body, active, (found > turn).astype(np.int64))
            self.frames.pop()
        self.values[loop.variable] = EVERYTHING

    def step_of(self, loop: Loop, active: Active) -> Ints:
        assert loop.step is not None and loop.step.value is not None
        found = self.value(loop.step.value, active)
        assert isinstance(found, np.ndarray)
        return found

    def forget(self, loop: Loop, but: str = "") -> None:
        """What a loop sets is not known behind it, nor in a turn that stands for others."""
        self.values |= {name: EVERYTHING for name in self.loop_facts(loop).sets if name != but}
