"""From a program to its instructions, each with the iterations in which it is issued.

A program is walked once, for all blocks and all iterations of its loops at a time. Iterations that differ in nothing that a
number of the body depends on are one, with a weight:

    for i in 0 .. n - 1 { copy 512 bytes }             one iteration, n times
    for i in 0 .. n - 1 { copy min(64, N - i) bytes }  n iterations, once each
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from uol.backends.ascendc.instructions import Block, Branch, Declared, Instr, Loop, Node
from uol.backends.ascendc.work.scalars import Range, exactly, scalar, truth

BLOCK, BLOCKS = "GetBlockIdx", "GetBlockNum"
READ = "GetValue("
MOST_ITERATIONS = 1 << 20
"""Iterations that are told apart; of more, a loop's variable is anything between its ends."""


@dataclass(frozen=True, slots=True)
class Iterations:
    """Iterations of the loops around a place of a program: of which block each is, what the integers are there, and how often
    it happens."""

    block: NDArray[np.intp]
    weight: Range
    values: Mapping[str, Range]

    @property
    def count(self) -> int:
        return len(self.block)

    def range(self, text: str) -> Range:
        """What a C text is there."""
        return scalar(text).range(self.values, self.count)

    def at(self, places: NDArray[np.intp]) -> Iterations:
        """Some of them, by their numbers."""
        values = {name: value.at(places) for name, value in self.values.items()}
        return Iterations(self.block[places], self.weight.at(places), values)

    def declaring(self, name: str, value: Range) -> Iterations:
        return replace(self, values={**self.values, name: value})

    def times(self, factor: Range) -> Iterations:
        """Each as often as the factor says."""
        weight = Range(self.weight.least * factor.least, self.weight.most * factor.most)
        known = self.weight.is_known and factor.is_known
        return replace(self, weight=exactly(weight.least) if known else weight)

    def where(self, condition: str) -> Iterations:
        """Those in which a condition holds, or may hold."""
        surely, maybe = truth(self.range(condition))
        return self.times(Range(surely, maybe) if surely is not maybe else exactly(surely)).at(np.flatnonzero(maybe))

    def knowing(self, names: frozenset[str]) -> Iterations:
        """Iterations that differ in none of these integers are one."""
        kept = {name: value for name, value in self.values.items() if name in names}
        ends = [end for v in kept.values() for end in ((v.least,) if v.is_known else (v.least, v.most))]
        table = np.stack([self.block.astype(np.float64), *ends], axis=1)
        order = np.lexsort(table.T)
        new = np.ones(self.count, bool)
        new[1:] = (table[order][1:] != table[order][:-1]).any(axis=1)
        first = order[new]

        def total(weight: NDArray[np.float64]) -> NDArray[np.float64]:
            return np.add.reduceat(weight[order], np.flatnonzero(new)) if self.count else weight

        least = total(self.weight.least)
        weight = exactly(least) if self.weight.is_known else Range(least, total(self.weight.most))
        return Iterations(self.block[first], weight, {name: value.at(first) for name, value in kept.items()})


class Visitor(Protocol):
    """What sees the nodes of a program."""

    def reached(self, block: Block, node: int, at: Iterations) -> None:
        """A node of a block, by its number, before it is looked at."""
        ...

    def instruction(self, instr: Instr, at: Iterations) -> None: ...

    def text(self, text: str, at: Iterations) -> None:
        """What the scalar unit evaluates: values, conditions, bounds."""
        ...

    def numbers(self, instr: Instr) -> tuple[str, ...]:
        """The C texts of an instruction whose values are asked for."""
        ...


@dataclass(slots=True)
class Walk:
    """`visitor` sees every node once, with its iterations; `needs`: the integers that a block's numbers depend on."""

    visitor: Visitor
    needs: dict[int, frozenset[str]]

    def block(self, block: Block, at: Iterations) -> None:
        known = at.knowing(self.needs[id(block)])
        for number, node in enumerate(block.nodes) if known.count else ():
            self.visitor.reached(block, number, known)
            known = self.node(node, known)

    def node(self, node: Node, at: Iterations) -> Iterations:
        match node:
            case Instr():
                self.visitor.instruction(node, at)
            case Declared(name=name, value=value):
                self.visitor.text(value, at)
                return at.declaring(name, at.range(value))
            case Branch(condition=condition, body=body):
                self.visitor.text(condition, at)
                self.block(body, at.where(condition))
            case Loop(body=body):
                self.visitor.text(node.end, at)
                self.block(body, self.iterated(node, at))
        return at

    def iterated(self, loop: Loop, at: Iterations) -> Iterations:
        """The iterations of a loop, one by one where its variable makes a difference."""
        first, end, step = (at.range(text) for text in (loop.first, loop.end, loop.step))
        ends = [(end.least, first.most), (end.most, first.least)]
        least, most = (np.maximum(np.ceil((e - f) / step.least), 0.0) for e, f in ends)
        trips = exactly(least) if first.is_known and end.is_known else Range(least, most)
        if loop.name not in self.needs[id(loop.body)]:
            return at.times(trips)
        if trips.most.sum() > MOST_ITERATIONS:
            last = first.most + np.maximum(trips.most - 1, 0.0) * step.most
            return at.times(trips).declaring(loop.name, Range(first.least, last))
        counts = trips.most.astype(np.intp)
        places = np.repeat(np.arange(at.count), counts)
        number = np.arange(len(places)) - np.repeat(np.cumsum(counts) - counts, counts)
        inner = at.at(places)
        if not trips.is_known:
            inner = inner.times(Range((number < trips.least[places]).astype(np.float64), np.ones(len(places))))
        begin, stride = first.at(places), step.at(places)
        moved = Range(begin.least + number * stride.least, begin.most + number * stride.least)
        return inner.declaring(loop.name, exactly(moved.least) if begin.is_known else moved)


def walk(program: Block, blocks: int, visitor: Visitor) -> None:
    """Shows every node of a program, with its iterations on `blocks` cores."""
    needs: dict[int, frozenset[str]] = {}
    _survey(program, needs, visitor.numbers)
    cores = np.arange(blocks)
    values = {BLOCK: exactly(cores.astype(np.float64)), BLOCKS: exactly(np.full(blocks, float(blocks)))}
    Walk(visitor, needs).block(program, Iterations(cores, exactly(np.ones(blocks)), values))


def _survey(block: Block, needs: dict[int, frozenset[str]], numbers: Callable[[Instr], tuple[str, ...]]) -> frozenset[str]:
    """The integers that the numbers of a block depend on, for itself and for all within."""
    names: set[str] = set()
    for node in reversed(block.nodes):
        match node:
            case Instr():
                names |= _names(*numbers(node))
            case Declared(name=name, value=value) if name in names:
                names.remove(name)
                names |= _names(value)
            case Branch(condition=condition, body=body):
                names |= _survey(body, needs, numbers) | _names(condition)
            case Loop(name=name, body=body):
                names |= (_survey(body, needs, numbers) - {name}) | _names(node.first, node.end, node.step)
    needs[id(block)] = frozenset(names)
    return needs[id(block)]


def _names(*texts: str) -> frozenset[str]:
    return frozenset().union(*(scalar(t).names for t in texts))
