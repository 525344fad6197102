"""What a thread keeps of its row: values that several passes read, in registers, so that memory is read once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from uol.backends.simt.c_text.counters import count_of
from uol.backends.simt.c_text.printer import Printer
from uol.backends.simt.c_text.types import COMPUTE, COMPUTE_BYTES
from uol.codegen.indexing.arithmetic import ZERO
from uol.codegen.specs.nodes import Read, Reduce
from uol.codegen.specs.steps import Pass, passes_of
from uol.codegen.specs.traverse import reads, step_expressions
from uol.ir.program.nodes import Expr, Var

BLOCK_BYTES = 1 << 16
"""What a row may take of the registers of a core, a quarter (CUDA C++ Programming Guide, technical specifications: 64 K of 4
bytes), so that other blocks hide the latency."""
MOST_TURNS = 16
"""Columns of a row a thread: loops over them are unrolled."""


@dataclass(frozen=True, slots=True)
class Kept:
    """Reads by the name of the array that holds them, and by the first pass that uses them; none, perhaps. A thread has the
    columns threadIdx.x + turn * threads, `turns` of them."""

    turns: int
    reads: Mapping[str, Read]
    first: Mapping[str, int]

    def begun_by(self, number: int) -> tuple[str, ...]:
        """The arrays that a pass fills."""
        return tuple(name for name, first in self.first.items() if first == number)

    def rule(self, node: Expr) -> Expr | None:
        """What stands for a read that is kept."""
        return next((Var(name, kept.dtype) for name, kept in self.reads.items() if kept == node), None)


def with_rows(printer: Printer, kept: Kept) -> Printer:
    """A printer that knows the arrays, each as what it holds in the turn at hand."""
    names = printer.names.with_locals(kept.reads)
    return replace(printer, names=names.bound(**{name: f"{names.variables[name]}[turn]" for name in kept.reads}))


NOTHING = Kept(0, {}, {})


def kept_reads(spec: Reduce, threads: int) -> Kept:
    """What a block keeps of its row: nothing where nothing is read twice, or a row has too many columns."""
    turns, passes = -(-count_of(spec.cols) // threads), passes_of(spec)
    if not 0 < turns <= MOST_TURNS:
        return NOTHING
    columns = {axis.name for axis in spec.cols}
    uses: dict[Read, list[int]] = {}
    for number, part in enumerate(passes.passes):
        for read in dict.fromkeys(_reads(part)):
            if any(stride != ZERO for name, stride in read.strides if name in columns):
                uses.setdefault(read, []).append(number)
    kept: dict[str, Read] = {}
    first: dict[str, int] = {}
    left = BLOCK_BYTES // threads // turns
    for read, at in uses.items():
        size = COMPUTE_BYTES[COMPUTE[read.dtype]]
        if len(at) > 1 and size <= left:
            left -= size
            name = f"${read.tensor}_row{len(kept) or ''}"
            kept[name], first[name] = read, at[0]
    return Kept(turns, kept, first) if kept else NOTHING


def _reads(part: Pass) -> Iterator[Read]:
    """The outermost reads of a pass: what is read for the place of another is not kept."""
    for step in part.steps:
        for expr in step_expressions(step):
            inner = {id(r) for read in reads(expr) for child in read.children for r in reads(child)}
            yield from (read for read in reads(expr) if id(read) not in inner)
