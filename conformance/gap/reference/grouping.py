"""The cheapest way to compute a graph in groups, each tensor crossing memory once a group.

    a unit's group    the products of a unit, which read their operands, and what is computed beside their results
    a pass            elements, rows, windows, sums: from tensors in memory, for tensors that are written

What is computed in one group and not written may be computed again in another pass, or beside a product; products never. No
group has results of both phases. The grouping is an integer program: whether a tensor is read, computed, written in a group.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from uol.conformance.accuracy.interval import Array
from uol.conformance.gap.reference.graph import Graph, Tensor
from uol.conformance.gap.reference.units import ancestors, closure, must_be_stored, own_of, units_of, ways_to_read
from uol.ir.errors import ToolchainError

SECONDS = 1e6
"""The program is in microseconds: its numbers lie between 1e-6 and 1e6 then."""


@dataclass(frozen=True, slots=True)
class Group:
    """`products`: none in a pass. `reads` and `writes` cross memory."""

    products: tuple[Tensor, ...]
    reads: tuple[Tensor, ...]
    writes: tuple[Tensor, ...]

    @property
    def bytes(self) -> float:
        return sum(t.bytes for t in (*self.reads, *self.writes))

    @property
    def operations(self) -> int:
        return sum(t.operations for t in self.products)

    @property
    def leader(self) -> Tensor:
        """The tensor that the group is named after."""
        return (self.products or self.writes)[0]


@dataclass(frozen=True, slots=True)
class Rates:
    """What a device attains: bytes and operations a second, and seconds of a launch."""

    bandwidth: float
    matrix: float
    launch: float


TIE = 1e-4
"""Bytes that are hidden behind operations cost this share of the time that they would take: of equal times the fewest bytes."""
LEAST_BYTES = Rates(1e12, float("inf"), 1e-15)
"""At these rates the cheapest grouping has the least bytes, and of those the fewest groups."""


@dataclass(slots=True)
class _Program:
    """An integer program that is being written: variables, and constraints low <= row <= high."""

    costs: list[float] = field(default_factory=list)
    whole: list[int] = field(default_factory=list)
    highest: list[float] = field(default_factory=list)
    rows: list[tuple[Mapping[int, float], float, float]] = field(default_factory=list)

    def choice(self, cost: float = 0.0) -> int:
        """A variable that is 0 or 1."""
        return self._variable(cost, 1, 1.0)

    def amount(self, cost: float) -> int:
        """A variable of at least 0."""
        return self._variable(cost, 0, np.inf)

    def require(self, row: Mapping[int, float], low: float = -np.inf, high: float = np.inf) -> None:
        self.rows.append((row, low, high))

    def implies(self, one: int, *others: int) -> None:
        """Requires that one of the others at least is chosen where `one` is."""
        self.require({one: -1.0, **dict.fromkeys(others, 1.0)}, low=0.0)

    def solved(self) -> Array:
        """The values at the least cost."""
        try:
            from scipy.optimize import Bounds, LinearConstraint, milp
            from scipy.sparse import coo_array
        except ImportError as error:
            raise ToolchainError(
                "the least groups are found with scipy, which is missing", hint="install uol[paths]"
            ) from error

        entries = [(at, column, value) for at, (row, _, _) in enumerate(self.rows) for column, value in row.items()]
        at, columns, values = zip(*entries, strict=True)
        matrix = coo_array((values, (at, columns)), shape=(len(self.rows), len(self.costs)))
        bounds = LinearConstraint(matrix.tocsc(), [low for _, low, _ in self.rows], [high for _, _, high in self.rows])
        options = {"mip_rel_gap": 0.0}
        found = milp(self.costs, integrality=self.whole, bounds=Bounds(0.0, self.highest), constraints=bounds, options=options)
        assert found.success, found.message
        solution: Array = found.x
        return solution

    def _variable(self, cost: float, whole: int, highest: float) -> int:
        self.costs.append(cost)
        self.whole.append(whole)
        self.highest.append(highest)
        return len(self.costs) - 1


@dataclass(slots=True)
class _Place:
    """A group that may be: its variables by tensor. `used`: of a pass, which need not be."""

    unit: tuple[Tensor, ...]
    used: int | None
    time: int
    reads: dict[Tensor, int] = field(default_factory=dict)
    computes: dict[Tensor, int] = field(default_factory=dict)
    writes: dict[Tensor, int] = field(default_factory=dict)


def grouped(graph: Graph, rates: Rates = LEAST_BYTES) -> list[Group]:
    """The grouping that takes the least time at these rates: of each group the longer of bytes and operations, and a launch."""
    return _Grouping(graph, rates).solved()


class _Grouping:
    def __init__(self, graph: Graph, rates: Rates) -> None:
        self.graph, self.rates, self.program = graph, rates, _Program()
        self.before = ancestors(graph)
        self.stored = must_be_stored(graph)
        self.read_only = {t for t in graph.tensors if t.kind in ("given", "product", "total")}
        self.stops = self.stored | self.read_only
        self.places = [self._unit(unit) for unit in units_of(graph)]
        self.places += self._passes()
        self._memory()

    def solved(self) -> list[Group]:
        while True:
            values = self.program.solved()
            chosen = [(place, self._group(place, values)) for place in self.places]
            chosen = [(place, group) for place, group in chosen if group.writes]
            circle = _circle([group for _, group in chosen])
            if not circle:
                return [group for _, group in chosen]
            self._forbid([chosen[number] for number in circle])

    def _group(self, place: _Place, values: Array) -> Group:
        reads, writes = (tuple(t for t, number in of.items() if values[number] > 0.5) for of in (place.reads, place.writes))
        return Group(place.unit, reads, writes)

    def _forbid(self, circle: Sequence[tuple[_Place, Group]]) -> None:
        """Not all that makes these groups wait for each other in turn."""
        row: dict[int, float] = {}
        for (place, group), (writer, written) in zip(circle, (*circle[1:], circle[0]), strict=True):
            passed = next(t for t in group.reads if _memory_of(t) in written.writes)
            row[place.reads[passed]] = row[writer.writes[_memory_of(passed)]] = 1.0
        self.program.require(row, high=len(row) - 1)

    def _place(self, unit: tuple[Tensor, ...]) -> _Place:
        used = None if unit else self.program.choice(self.rates.launch * SECONDS)
        return _Place(unit, used, self.program.amount(1.0))

    def _unit(self, unit: tuple[Tensor, ...]) -> _Place:
        """A product's group: results are there, operands are read in one of their ways."""
        program, place = self.program, self._place(unit)
        for operand in dict.fromkeys(i for t in unit for i in t.inputs):
            ways = [(program.choice(), way) for way in ways_to_read(operand)]
            program.require({number: 1.0 for number, _ in ways}, low=1.0)
            for number, way in ways:
                for t in way:
                    program.implies(number, self._read(place, t))
        for t in unit:
            place.writes[t] = program.choice()
        self._compute(place, own_of(unit, self.graph, self.before), set(unit))
        return place

    def _compute(self, place: _Place, outputs: Sequence[Tensor], made: set[Tensor]) -> None:
        """Adds the choices of what a group computes for its outputs: from what is made, read, or computed again there."""
        program, own = self.program, set(outputs)
        near = [t for t in closure(outputs, self.stops) if t not in self.read_only or t in own]
        needed = [t for t in closure(near, self.stops) if t in near or t not in self.stops]  # what is stored, once again, too
        place.computes = {t: program.choice() for t in needed if t.kind not in ("given", "product", "part")}
        for t in outputs:
            place.writes[t] = program.choice()
            program.implies(place.writes[t], place.computes[t])
        for t, number in place.computes.items():
            for i in t.inputs:
                if i in made:
                    continue
                from_here = [place.computes[i]] if i in place.computes and i.kind != "total" else []
                depends = i in own and made  # on this group's products: it cannot be read before it is written
                program.implies(number, *from_here, *([] if depends else [self._read(place, i)]))

    def _read(self, place: _Place, t: Tensor) -> int:
        if t not in place.reads:
            place.reads[t] = self.program.choice()
        return place.reads[t]

    def _passes(self) -> list[_Place]:
        """The passes that may be: for each tensor one that it leads, with those after it that share what they read."""
        able = [t for t in self.graph.tensors if t.kind in ("elements", "row", "total", "move", "gather")]
        needs = {t: frozenset(closure([t], self.stops)) for t in able}
        found = []
        for at, first in enumerate(able):
            place = self._place(())
            beside = [t for t in able[at:] if t.phase == first.phase and self._together(first, t, needs)]
            self._compute(place, beside, set())
            for t in beside:
                self.program.implies(place.writes[t], place.writes[first])
                if t in place.reads:
                    self.program.require({place.reads[t]: 1.0, place.writes[t]: 1.0}, high=1.0)
            assert place.used is not None
            self.program.implies(place.writes[first], place.used)
            found.append(place)
        return found

    def _together(self, first: Tensor, other: Tensor, needs: Mapping[Tensor, frozenset[Tensor]]) -> bool:
        """May they be written by one pass: do they share a tensor, and waits none for the other by way of memory?"""
        if first is other:
            return True
        if needs[first].isdisjoint(needs[other]):
            return False
        late = [t for t in needs[other] if t in self.stops and t is not first and t is not other]
        return not any(first in self.before[t] for t in late) and not (first.kind == "total" and first in other.inputs)

    def _memory(self) -> None:
        """A tensor that is read has been written, once, or was given; a group takes as long as its bytes and its operations."""
        program, writers = self.program, defaultdict(list)
        for place in self.places:
            for t, number in place.writes.items():
                writers[t].append(number)
        for t, numbers in writers.items():
            program.require(dict.fromkeys(numbers, 1.0), low=float(t in self.stored), high=1.0)
        for place in self.places:
            for t, number in place.reads.items():
                memory = _memory_of(t)
                if memory.kind != "given":
                    program.implies(number, *writers[memory])
            each = [(t, n) for of in (place.reads, place.writes) for t, n in of.items()]
            moved = {number: t.bytes / self.rates.bandwidth * SECONDS for t, number in each}
            program.require({place.time: 1.0, **{number: -taken for number, taken in moved.items()}}, low=0.0)
            for number, taken in moved.items():
                program.costs[number] += TIE * taken
            least = sum(t.operations for t in place.unit) / self.rates.matrix * SECONDS
            program.require({place.time: 1.0}, low=least)


def _memory_of(t: Tensor) -> Tensor:
    """The tensor that has to be written for this one to be read: of a part, the whole."""
    return t.inputs[0] if t.kind == "part" else t


def _circle(groups: Sequence[Group]) -> list[int]:
    """Groups that wait for each other in turn, each for the next; none where they can run in some order."""
    writer = {t: number for number, group in enumerate(groups) for t in group.writes}
    after = [{writer[m] for t in group.reads if (m := _memory_of(t)) in writer} for group in groups]
    state: dict[int, int] = {}
    path: list[int] = []

    def visit(number: int) -> list[int]:
        state[number] = 1
        path.append(number)
        for other in sorted(after[number]):
            if state.get(other) == 1:
                return path[path.index(other) :]
            if other not in state and (found := visit(other)):
                return found
        state[number] = 2
        path.pop()
        return []

    for number in range(len(groups)):
        if number not in state and (found := visit(number)):
            return found
    return []
