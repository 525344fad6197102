"""What a thread keeps of its row: values that several passes read, in registers, so that memory is read once."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace

from uol.backends.simt.c_text.printer import Printer
from uol.backends.simt.c_text.types import COMPUTE, COMPUTE_BYTES
from uol.backends.simt.elements.vectors import Vectors
from uol.backends.simt.rows.schedule import BlockPerRow
from uol.codegen.indexing.arithmetic import ZERO, size, static
from uol.codegen.specs.nodes import Read, Reduce
from uol.codegen.specs.sizes import known_bound
from uol.codegen.specs.steps import Pass, passes_of
from uol.codegen.specs.traverse import reads, step_expressions
from uol.ir.program.nodes import Expr, Var
from uol.ir.types import DTYPES

BLOCK_BYTES = 1 << 16
"""What a row may take of the registers of a core, a quarter (CUDA C++ Programming Guide, technical specifications: 64 K of 4
bytes), so that other blocks hide the latency."""
MOST_COLUMNS = 16
"""Of a row a thread: loops over them are unrolled, and a compiler takes its time for each. With 32 a softmax of 1024 columns
took more than the 0.3 s that `python -m uol.conformance.latency` admits."""
MOST_THREADS = 512
"""That share a row and keep it: each may have 128 of the 65,536 registers of a core, and 32 of them hold columns. Of 1,024 each
may have 64, which do not hold 16 columns, the places of several tensors and what is on its way from them
(`python -m uol.conformance.build_check --any-size --resources`)."""
LONGEST_COLUMNS = 32
"""Of a row a thread of so many."""


def most_columns(threads: int) -> int:
    """That each of the threads of a row may keep."""
    return LONGEST_COLUMNS if threads >= MOST_THREADS else MOST_COLUMNS


@dataclass(frozen=True, slots=True)
class Kept:
    """Reads by the name of what holds them, and by the first pass that uses them; none, perhaps. A thread has the columns
    `lane + turn * lanes`, `turns` of them, or so many vectors: an array, where it is more than one."""

    turns: int
    reads: Mapping[str, Read]
    first: Mapping[str, int]

    def begun_by(self, number: int) -> tuple[str, ...]:
        """What a pass fills."""
        return tuple(name for name, first in self.first.items() if first == number)

    def rule(self, node: Expr) -> Expr | None:
        """What stands for a read that is kept."""
        return next((Var(name, kept.dtype) for name, kept in self.reads.items() if kept == node), None)


def with_rows(printer: Printer, kept: Kept) -> Printer:
    """A printer that knows what is kept, as what it is in the turn at hand."""
    names = printer.names.with_locals(kept.reads)
    text = {name: f"{names.variables[name]}{'[turn]' if kept.turns > 1 else ''}" for name in kept.reads}
    vectors = {name: f"{text[name]}.at" for name in kept.reads if name in names.tensors}
    return replace(printer, names=replace(names.bound(**text), tensors={**names.tensors, **vectors}))


NOTHING = Kept(0, {}, {})


def kept_reads(spec: Reduce, schedule: BlockPerRow, vectors: Vectors) -> Kept:
    """What a block keeps of its rows: nothing where nothing is read twice, or a row has too many columns. One turn is never a
    loop."""
    columns = size(spec.cols)
    count = static(columns) if static(columns) is not None else known_bound(spec.where, columns)
    turns = 0 if count is None else -(-count // (schedule.lanes * schedule.each))
    if not 0 < turns * schedule.each <= most_columns(schedule.threads):
        return NOTHING
    again = read_again(spec, vectors.loads if schedule.each > 1 else None)
    kept: dict[str, Read] = {}
    first: dict[str, int] = {}
    left = BLOCK_BYTES // schedule.threads // turns
    for read, at in again.items():
        held = DTYPES[read.dtype].bytes * schedule.each if schedule.each > 1 else COMPUTE_BYTES[COMPUTE[read.dtype]]
        if held <= left:
            left -= held
            name = read.tensor if schedule.each > 1 else f"${read.tensor}_row{len(kept) or ''}"
            kept[name], first[name] = vectors.loads.get(name, read), at
    return Kept(turns, kept, first) if kept or turns == 1 else NOTHING


def columns_kept(spec: Reduce, threads: int) -> Iterator[int]:
    """The longest rows of which so many threads keep the first read, the first two, and so on, where that is less than they
    have: of rows that half of them do not hold."""
    held = 0
    for read in read_again(spec):
        held += COMPUTE_BYTES[COMPUTE[read.dtype]]
        each = BLOCK_BYTES // threads // held // 2 * 2  # by pairs of columns, too
        if MOST_COLUMNS // 2 < each < most_columns(threads):
            yield each * threads


def read_again(spec: Reduce, vectors: Collection[str] | None = None) -> dict[Read, int]:
    """What several passes read of a row, in vectors of these names or column by column; and which is the first."""
    along = {axis.name for axis in spec.cols}
    found: dict[Read, list[int]] = {}
    for number, part in enumerate(passes_of(spec).passes):
        for read in dict.fromkeys(_reads(part)):
            varies = any(stride != ZERO for name, stride in read.strides if name in along)
            if varies if vectors is None else read.tensor in vectors:
                found.setdefault(read, []).append(number)
    return {read: numbers[0] for read, numbers in found.items() if len(numbers) > 1}


def _reads(part: Pass) -> Iterator[Read]:
    """The outermost reads of a pass: what is read for the place of another is not kept."""
    for step in part.steps:
        for expr in step_expressions(step):
            inner = {id(r) for read in reads(expr) for child in read.children for r in reads(child)}
            yield from (read for read in reads(expr) if id(read) not in inner)
