"""What the instructions of a kernel add up to, core by core."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from uol.backends.ascendc.instructions import Block, Instr
from uol.backends.ascendc.machine import BLOCK_BYTES, BYTES, Pipe
from uol.backends.ascendc.work.amounts import amount_of, path_of
from uol.backends.ascendc.work.scalars import Numbers, Range
from uol.backends.ascendc.work.walk import READ, Iterations, walk
from uol.ir.integers.intervals import Interval

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

    bursts   by path: rows of copies from and to global memory, and the bytes that lie before a burst in its block at most
    """

    blocks: int
    issues: dict[Primitive, Sum] = field(default_factory=dict)
    amounts: dict[Primitive, Sum] = field(default_factory=dict)
    granules: dict[Primitive, Sum] = field(default_factory=dict)
    reads: Sum = field(init=False)
    sectors: dict[str, Sum] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.reads = self.zero()

    def zero(self) -> Sum:
        return Sum(np.zeros(self.blocks), np.zeros(self.blocks))

    def instruction(self, instr: Instr, at: Iterations) -> None:
        kind = Primitive(instr.name, instr.pipe, path_of(instr), _dtype_of(instr))
        done = amount_of(instr, at)
        each = ((self.issues, _ones(at)), (self.amounts, done.amount), (self.granules, done.granules))
        for sums, number in each:
            sums.setdefault(kind, self.zero()).add(at, number)
        if kind.path.endswith("_gm") or kind.path.startswith("gm_"):
            self.sectors.setdefault(kind.path, self.zero()).add(at, _sectors(instr, at, done.granules))
        self.text(instr.text, at)

    def text(self, text: str, at: Iterations) -> None:
        """Elements of global memory that the scalar unit reads for a text."""
        if reads := text.count(READ):
            least = 0 if any(c in text for c in CONDITIONAL) else reads
            self.reads.add(at, Range(np.full(at.count, float(least)), np.full(at.count, float(reads))))

    def pipes(self) -> Iterator[tuple[Pipe, Interval]]:
        """How many instructions each pipe executes."""
        for pipe in dict.fromkeys(k.pipe for k in self.issues):
            totals = [s.total for k, s in self.issues.items() if k.pipe == pipe]
            yield pipe, sum(totals[1:], totals[0])


def tally_of(program: Block, blocks: int) -> Tally:
    """What a program does on so many blocks."""
    tally = Tally(blocks)
    walk(program, blocks, tally.instruction, tally.text)
    return tally


def _ones(at: Iterations) -> Range:
    one = np.ones(at.count)
    return Range(one, one)


def _dtype_of(instr: Instr) -> str:
    """The widest type of its operands."""
    return max((v.dtype for v in (*instr.reads, *instr.writes)), key=BYTES.__getitem__)


def _sectors(instr: Instr, at: Iterations, blocks: Range) -> Range:
    """Sectors of 32 bytes of global memory that the bursts touch: one more than they fill, where they start within one."""
    bursts, size = (np.maximum(at.range(text).most, 0.0) for text in instr.amount)
    element = min(BYTES[v.dtype] for v in (*instr.reads, *instr.writes))
    most = bursts * (np.floor((size + BLOCK_BYTES - element - 1) / BLOCK_BYTES) + (size > 0))
    return Range(blocks.least, most)
