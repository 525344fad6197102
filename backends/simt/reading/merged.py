"""The operations of a kernel as a compiler leaves them: equal expressions once, what a loop does not change in front of it.

    for (int v = 0; v < 8; ++v)                              h % 2 once for all turns;
      if (h % 2 + v < 3 && w % 2 + v < 3) ...                v is a number in each turn, once the loop is unrolled

What is left out costs no instruction of its own: what numbers alone make; an integer that is added to a number, which stands in
the instruction that uses the sum; a product that something is added to; truth values joined. The statements of a text are
counted as they stand: a twin counts these.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from uol.backends.simt.machine.fragments import UNITS
from uol.backends.simt.reading.instructions import instructions_of
from uol.backends.simt.reading.loops import arrays_in, set_in
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
from uol.backends.simt.reading.units import Types, class_of, type_of, unit_of_node

Loops = frozenset[int]
"""Loops, by their identity."""

MOST_UNROLLED = 32
"""Turns that a compiler writes out, of loops between two numbers, one within another."""
JOINED = frozenset(["&&", "||", "!_"])


@dataclass(frozen=True, slots=True)
class Issue:
    """A number of operations of a unit, which are issued once for each turn of the loops that they vary with."""

    unit: str
    number: int
    varies: Loops


def merged(kernel: KernelText, types: Types) -> Mapping[int, tuple[Issue, ...]]:
    """What each statement and each condition of a kernel has operations for, by its identity."""
    merging = _Merging(types)
    merging.body(kernel.body)
    return merging.found


@dataclass(slots=True)
class _Merging:
    """`available`: expressions whose values are there; `naming`: those that were made of a name; `varies`: the loops that names
    vary with; `numbers`: names of loops that are written out turn by turn."""

    types: Types
    found: dict[int, tuple[Issue, ...]] = field(default_factory=dict)
    available: set[Node] = field(default_factory=set)
    naming: dict[str, list[Node]] = field(default_factory=dict)
    varies: dict[str, Loops] = field(default_factory=dict)
    numbers: set[str] = field(default_factory=set)
    nest: list[int] = field(default_factory=list)

    def body(self, body: Iterable[Statement]) -> None:
        for statement in body:
            match statement:
                case Simple(shared=False):
                    self.simple(statement)
                case Loop():
                    self.loop(statement)
                case Branch(condition=condition, body=inner):
                    self.found[id(condition)] = tuple(self.issues(condition))
                    self.body(inner)
                case Leave() | Simple():
                    pass

    def simple(self, step: Simple) -> None:
        parts = [part for part in (step.target, step.value) if part is not None]
        issues = [issue for part in parts for issue in self.issues(part)]
        if step.target is None:
            self.found[id(step)] = tuple(issues)
            return
        if step.update not in ("", "="):
            issues.append(Issue(class_of(type_of(step.target, self.types)), 1, frozenset(self.nest)))
        self.found[id(step)] = tuple(issues)
        name = step.target.name if isinstance(step.target, Name) else step.target.array
        is_new = bool(step.dtype) and isinstance(step.target, Name)
        self.set(name, self.loops_of(step.value) if is_new and step.value is not None else frozenset(self.nest))

    def loop(self, loop: Loop) -> None:
        inside = set_in(loop) | arrays_in(loop)
        self.nest.append(id(loop))
        for name in inside:
            self.set(name, frozenset(self.nest))
        if loop.variable:
            starts = [self.loops_of(step.value) for step in loop.init if step.value is not None]
            self.set(loop.variable, frozenset({id(loop)}).union(*starts))
            if is_unrolled(loop):
                self.numbers.add(loop.variable)
        self.body(loop.body)
        self.nest.pop()
        self.numbers.discard(loop.variable)
        for name in inside:
            self.set(name, frozenset(self.nest))

    def set(self, name: str, varies: Loops) -> None:
        """A name has another value: what was made of the one before is there no longer."""
        self.varies[name] = varies
        self.available.difference_update(self.naming.pop(name, ()))

    def issues(self, node: Node) -> Iterator[Issue]:
        """The operations of an expression whose values are not there yet."""
        if self.is_number(node) or node in self.available:
            return
        children = node.args if isinstance(node, Operation) else node.index if isinstance(node, Element) else ()
        for child in children:
            yield from self.issues(child)
        if isinstance(node, Operation):
            if own := self.cost(node):
                yield Issue(*own, self.loops_of(node))
            if node.fn != "++" and not any(isinstance(part, Element) for part in walk(node)):
                self.available.add(node)
                for name in {part.name for part in walk(node) if isinstance(part, Name)}:
                    self.naming.setdefault(name, []).append(node)

    def cost(self, node: Operation) -> tuple[str, int] | None:
        """Unit and number of instructions of an operation, without its operands."""
        unit = unit_of_node(node, self.types)
        if unit is None or node.fn in JOINED or node.fn in UNITS:  # what a warp does as one is counted where it is called
            return None
        if several := instructions_of(node, unit):
            return several
        if unit == "integer" and node.fn in ("+", "-"):
            is_fused = any(isinstance(a, Operation) and a.fn == "*" for a in node.args)
            if is_fused or any(self.is_number(a) for a in node.args):
                return None
        return unit, 1

    def is_number(self, node: Node) -> bool:
        """Is it one once loops are unrolled?"""
        match node:
            case Number():
                return True
            case Name(name=name):
                return name in self.numbers
            case Operation(fn=fn, args=args) if args and not fn.startswith("."):
                return unit_of_node(node, self.types) == "integer" and all(map(self.is_number, args))
        return False

    def loops_of(self, node: Node | None) -> Loops:
        """The loops that a value varies with; where memory is read, all that it stands in."""
        if node is None:
            return frozenset()
        parts = list(walk(node))
        if any(isinstance(part, Element) for part in parts):
            return frozenset(self.nest)
        return frozenset().union(*(self.varies.get(part.name, frozenset()) for part in parts if isinstance(part, Name)))


def is_unrolled(loop: Loop) -> bool:
    """Does a compiler write out all turns of the loop, with those of loops within it?"""
    turns = _turns(loop)
    return turns is not None and turns * _turns_within(loop.body) <= MOST_UNROLLED


def _turns(loop: Loop) -> int | None:
    """How many turns a loop takes that counts between two numbers; None for any other."""
    first = loop.init[0].value if loop.init else None
    match loop.condition, loop.step, first:
        case (
            Operation(fn="<", args=(Name(), Number(value=int(last)))),
            Simple(update="+=", value=Number(value=int(step))),
            Number(value=int(begin)),
        ):
            return max(-(-(last - begin) // step), 0)
    return None


def _turns_within(body: Iterable[Statement]) -> int:
    """The most that one statement of a body has."""
    most = 1
    for statement in body:
        match statement:
            case Loop(body=inner):
                most = max(most, (_turns(statement) or 1) * _turns_within(inner))
            case Branch(body=inner):
                most = max(most, _turns_within(inner))
    return most
