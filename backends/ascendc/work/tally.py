"""What the instructions of a kernel add up to, core by core."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from uol.backends.ascendc.instructions import Block, Instr, Text
from uol.backends.ascendc.machine import BYTES, Pipe
from uol.backends.ascendc.sync.dependences import Plan
from uol.backends.ascendc.work.amounts import amount_of, path_of
from uol.backends.ascendc.work.divisors import divisors_of
from uol.backends.ascendc.work.neighbours import Neighbours, neighbours_of
from uol.backends.ascendc.work.scalars import Numbers, Range, exactly
from uol.backends.ascendc.work.sectors import Starts
from uol.backends.ascendc.work.walk import READ, Iterations, walk
from uol.ir.integers.intervals import Interval

CALLED = {"InitConstValue": "Fill"}
"""Newer names of primitives."""
MOST_BURSTS = 1 << 17
"""Bursts that are looked at one by one."""
CONDITIONAL = ("?", "&&", "||")


@dataclass(frozen=True, slots=True)
class Primitive:
    """Instructions that cost the same: their name, pipe and path, and the type that they work on."""

    name: str
    pipe: Pipe
    path: str
    dtype: str


@dataclass(slots=True)
class Sum:
    """A count of every core: the least and the most."""

    least: Numbers
    most: Numbers

    def add(self, at: Iterations, each: Range) -> None:
        for total, weight, number in ((self.least, at.weight.least, each.least), (self.most, at.weight.most, each.most)):
            total += np.bincount(at.block, weight * number, len(total))

    @property
    def total(self) -> Interval:
        """Of all cores together."""
        return Interval(round(self.least.sum()), round(self.most.sum()))


@dataclass(slots=True)
class Tally:
    """By primitive: how often, how much (`amounts`), and how many granules of it; and the elements that the scalar unit reads.

    sectors    by path: sectors of 32 bytes of global memory that bursts touch
    short      granules that bursts of copies lack for what a burst costs at least
    ragged     of vector instructions: how many work on bytes that are no whole repeats
    starts     what is known of where bursts start
    order      the flags and barriers of the program, if they are wanted; `ordering` counts them by name; `behind` and `ahead`
               the vector instructions that a barrier stands before, and behind
    """

    blocks: int
    starts: Starts
    order: Plan | None = None
    program: Block | None = None
    ordering: dict[str, Sum] = field(default_factory=dict)
    behind: dict[Primitive, Sum] = field(default_factory=dict)
    ahead: dict[Primitive, Sum] = field(default_factory=dict)
    issues: dict[Primitive, Sum] = field(default_factory=dict)
    amounts: dict[Primitive, Sum] = field(default_factory=dict)
    granules: dict[Primitive, Sum] = field(default_factory=dict)
    short: dict[Primitive, Sum] = field(default_factory=dict)
    ragged: dict[Primitive, Sum] = field(default_factory=dict)
    reads: Sum = field(init=False)
    sectors: dict[str, Sum] = field(default_factory=dict)
    neighbours: Neighbours = field(init=False)

    def __post_init__(self) -> None:
        self.reads = self.zero()
        self.neighbours = neighbours_of(self.program) if self.program and self.order else {}

    def zero(self) -> Sum:
        return Sum(np.zeros(self.blocks), np.zeros(self.blocks))

    def reached(self, block: Block, node: int, at: Iterations) -> None:
        """The flags and barriers around a node."""
        if self.order is None:
            return
        flags, waits, barriers = self.order.around(block, node)
        preset = self.order.preset(block.nodes[node]) if block is self.program else 0
        barriers += isinstance(shown := block.nodes[node], Text) and shown.text.startswith("PipeBarrier")
        for name, count in (("SetFlag", flags + preset), ("WaitFlag", waits + preset), ("PipeBarrier", barriers)):
            if count:
                self.ordering.setdefault(name, self.zero()).add(at, exactly(np.full(at.count, float(count))))
        if self.order.holds_vectors(block, node):
            before, behind = self.neighbours[id(block), node]
            for sums, instr in ((self.ahead, before), (self.behind, behind)):
                if instr is not None:
                    sums.setdefault(_kind(instr), self.zero()).add(at, _ones(at))

    def numbers(self, instr: Instr) -> tuple[str, ...]:
        return self.starts.numbers(instr)

    def instruction(self, instr: Instr, at: Iterations) -> None:
        kind = _kind(instr)
        done = amount_of(instr, at)
        every = (self.issues, self.amounts, self.granules, self.short, self.ragged)
        for sums, number in zip(every, (_ones(at), done.amount, done.granules, done.short, done.ragged), strict=True):
            if number is not None:
                sums.setdefault(kind, self.zero()).add(at, number)
        if instr.place is not None:
            self.sectors.setdefault(kind.path, self.zero()).add(at, self.starts.touched(instr, at, done.granules))
        self.text(instr.text, at)

    def text(self, text: str, at: Iterations) -> None:
        """Elements of global memory that the scalar unit reads for a text."""
        if reads := text.count(READ):
            least = 0 if any(c in text for c in CONDITIONAL) else reads
            self.reads.add(at, Range(np.full(at.count, float(least)), np.full(at.count, float(reads))))

    def pipes(self) -> Iterator[tuple[str, Interval]]:
        """How many instructions each pipe executes."""
        for pipe in dict.fromkeys(k.pipe for k in self.issues):
            yield pipe, sum((s.total for k, s in self.issues.items() if k.pipe == pipe), Interval(0, 0))


def tally_of(program: Block, blocks: int, order: Plan | None = None) -> Tally:
    """What a program does on so many blocks. Where bursts may start within a sector and are not too many, each is looked at."""
    divisors = divisors_of(program)
    tally = _walked(program, Tally(blocks, Starts(divisors), order, program))
    if all(_is_exact(s.total) for s in tally.sectors.values()) or _bursts(tally) > MOST_BURSTS:
        return tally
    return _walked(program, Tally(blocks, Starts(divisors, one_by_one=True), order, program))


def _walked(program: Block, tally: Tally) -> Tally:
    walk(program, tally.blocks, tally)
    return tally


def _is_exact(count: Interval) -> bool:
    return count.low == count.high


def _bursts(tally: Tally) -> float:
    """How many bursts there are at most: none has less than a block."""
    return sum(float(s.most.sum()) for kind, s in tally.granules.items() if kind.path in tally.sectors)


def _kind(instr: Instr) -> Primitive:
    return Primitive(CALLED.get(instr.name, instr.name), instr.pipe, path_of(instr), _dtype_of(instr))


def _ones(at: Iterations) -> Range:
    return exactly(np.ones(at.count))


def _dtype_of(instr: Instr) -> str:
    """The widest type of its operands; of a product, the type of its factors."""
    if instr.pipe == "M":
        return instr.reads[0].dtype
    return max((v.dtype for v in (*instr.reads, *instr.writes)), key=BYTES.__getitem__)
