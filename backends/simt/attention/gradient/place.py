"""What the kernel of a gradient of an attention knows of its block and its threads: names, operands, what is read of a row or
of a col.

Cols may be over two axes: queries of heads that share a key. These pass by head by head, each from its first tile to its last.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from itertools import chain

from uol.backends.c_text.names import legalise
from uol.backends.simt.attention.batch_numbers import room_for
from uol.backends.simt.attention.gradient.form import Form, bounds_of, form_of
from uol.backends.simt.attention.matrix.ends import ends_of_cols
from uol.backends.simt.attention.matrix.lanes import GRAIN, Lanes, element_of, filled, words
from uol.backends.simt.attention.matrix.place import COLS_END, grid_of, rows_apart
from uol.backends.simt.attention.matrix.schedule import MatrixRows
from uol.backends.simt.attention.matrix.seen import Bound
from uol.backends.simt.c_text.counters import Counter, is_multiple
from uol.backends.simt.c_text.printer import Printer
from uol.backends.simt.c_text.proofs import Index, Proofs, index_type
from uol.backends.simt.c_text.terms import Element, Local
from uol.backends.simt.kernel.nodes import Declare, Statement
from uol.backends.simt.machine.fragments import MatrixUnit
from uol.backends.simt.products.matrix.operand import Operand, operand_of
from uol.backends.simt.products.matrix.place import Owned
from uol.codegen.attention.batch_numbers import BatchNumber, with_batch_numbers, without_batch_numbers
from uol.codegen.attention.parts import dot_product, weighted_product
from uol.codegen.indexing.arithmetic import ONE, ZERO, add, size, static, sub, substituted
from uol.codegen.specs.nodes import Attention, Dot, Read, Weighted
from uol.codegen.specs.traverse import mapped, reads
from uol.ir.program.nodes import Axis, Call, Const, Expr
from uol.ir.program.walk import rewrite, variables
from uol.ir.types import DTYPES, INDEX

LOCALS = (
    *("shared", "thread", "lane", "warp_m", "m0", "n0", "tiles", "read", "write", "tile", "next", "col0"),
    *("begin", "end", "of_head", COLS_END.name),
    *("i", "mi", "ni", "kk", "pair", "half", "r", "group", "part", "turn", "row", "sums", "full_from", "full_to"),
)
COL_VALUE_BYTES = 4


def cols_apart(spec: Attention) -> Attention:
    """The attention with its last axis of cols alone; the others, heads that share a key, count as batches."""
    return replace(spec, batch=(*spec.batch, *spec.cols[:-1]), cols=spec.cols[-1:])


@dataclass(frozen=True, slots=True)
class Operands:
    """`rows`: what dots have of rows; `cols`: what passes by, each once; `of_dots`: of each dot the numbers of both; `of_sums`:
    of each sum what it adds up, and the number of that among the cols."""

    rows: tuple[Operand, ...]
    cols: tuple[Operand, ...]
    of_dots: tuple[tuple[int, int], ...]
    of_sums: tuple[tuple[Operand, int], ...]


def operands_of(spec: Attention) -> Operands | None:
    """The operands of an attention whose last axes are apart; None where one is no matrix."""
    spec = cols_apart(spec)
    row, col = Counter.over(spec.rows, "$at_row"), Counter.over(spec.cols, "$at_col")
    rows: list[Operand] = []
    cols: list[Operand] = []
    of_dots, of_sums = [], []
    for dot in spec.dots:
        depth, product = Counter.over(dot.depth, "$at_depth"), dot_product(spec, dot)
        a, b = operand_of(product, dot.a, row, depth), operand_of(product, dot.b, col, depth)
        if a is None or b is None:
            return None
        of_dots.append((_number(a, rows), _number(b, cols)))
    for each in spec.sums:
        width = Counter.over(each.width, "$at_width")
        value = operand_of(weighted_product(spec, each), each.value, width, col)
        if value is None:
            return None
        of_sums.append((value, _number(value, cols)))
    return Operands(tuple(rows), tuple(cols), tuple(of_dots), tuple(of_sums))


def _number(operand: Operand, known: list[Operand]) -> int:
    """Which of the known ones an operand is; else it is one more."""
    for number, other in enumerate(known):
        if _place_of(other) == _place_of(operand):
            return number
    known.append(operand)
    return len(known) - 1


def _place_of(operand: Operand) -> tuple[str, Expr, Expr | None, Expr]:
    return operand.read.tensor, operand.first, operand.pitch, operand.inner.count


@dataclass(frozen=True, slots=True)
class Place(Lanes):
    """`spec` has its last rows apart, and counters in place of the axes of its batch. `head`: the outer axis of cols. `bounds`:
    conditions of scores that say from where on and how far cols go; `always`: those that are asked of every score. `of_row` and
    `of_col`: what is read for a row alone, and for a col alone."""

    spec: Attention
    tile: MatrixRows
    unit: MatrixUnit
    form: Form
    printer: Printer
    index: Index
    batch: Counter
    head: Axis | None
    operands: Operands
    bounds: tuple[Bound, ...]
    always: tuple[Expr, ...]
    of_row: tuple[Read, ...]
    of_col: tuple[Read, ...]
    ends: tuple[Expr, ...] = ()
    numbers: tuple[BatchNumber, ...] = ()

    @staticmethod
    def of(spec: Attention, tile: MatrixRows, unit: MatrixUnit) -> Place:
        known, numbers = with_batch_numbers(spec)
        ends, spec = ends_of_cols(known), rows_apart(spec)
        blocks = grid_of(spec, tile)
        rows, cols = (size(spec.rows), tile.rows), (size(spec.cols[-1:]), (tile.stages + 1) * tile.cols)
        plain = without_batch_numbers(spec, numbers)
        ends_of_tiles = (add(count, Const(beyond)) for count, beyond in (rows, cols))
        room = (room_for(numbers, count) for count, _ in (rows, cols))
        kind = index_type(plain, [blocks, size(spec.cols), *ends_of_tiles, *chain(*room)])
        batch = Counter.over(spec.batch, "$batch")
        spec, ends = mapped(spec, expr=batch.shorter, step=batch.shortened), tuple(map(batch.shorter, ends))
        form, operands = form_of(spec), operands_of(spec)
        assert form is not None, "legality has asked"
        assert operands is not None, "legality has asked"
        head = spec.cols[0] if len(spec.cols) > 1 else None
        of_row, of_col = _values(form, spec)
        names = legalise(spec, LOCALS)
        names = names.with_locals(f"${each.read.tensor}_row_{what}" for each in operands.rows for what in ("part", "at"))
        of_cols = ("to", "from", "at", "part", "in", "turned_from", "turned_in", "turned_to", "turned_at", "turned_part")
        names = names.with_locals(f"${each.read.tensor}_{what}" for each in operands.cols for what in of_cols)
        values = ("value", "from", "pair", "in", "to")
        names = names.with_locals(f"${each.tensor}_{what}" for each in (*of_row, *of_col) for what in values)
        names = names.with_locals(f"${each}_{what}" for each in form.weights for what in ("pair", "part"))
        names = names.with_locals(each.name for each in numbers)
        printer = Printer(names, Proofs.of(spec), kind.ctype)
        counters = [Counter.over(spec.rows, "$at_row"), *(Counter.over((axis,), axis.name) for axis in spec.cols)]
        for counter in (*counters, *((batch,) if batch.axes else ())):
            printer = counter.known(printer)
        seen = bounds_of(form, spec.rows[-1], spec.cols)
        return Place(spec, tile, unit, form, printer, kind, batch, head, operands, *seen, of_row, of_col, ends, numbers)

    @property
    def rows(self) -> Counter:
        return Counter.over(self.spec.rows, "$at_row")

    @property
    def cols(self) -> Counter:
        return Counter.over(self.spec.cols[-1:], "$at_col")

    @property
    def last_row(self) -> Expr:
        return sub(self.rows.count, ONE)

    @property
    def cols_are_whole(self) -> bool:
        """Is every tile of cols full?"""
        return not self.ends and is_multiple(self.cols.count, self.tile.cols)

    @property
    def col_end(self) -> Expr:
        """The number of cols that a block has: those behind are zeros."""
        return COLS_END if self.ends else self.known(self.cols.count)

    @property
    def is_masked(self) -> bool:
        """Are there tiles of which some rows do not see some cols, though nothing is read for it?"""
        return bool(self.bounds) or not self.cols_are_whole

    def asks_for(self, axis: Axis) -> bool:
        """Do steps ask for an axis otherwise than by what lies in registers?"""
        known = {*self.of_row, *self.of_col}
        values = (*(step.value for step in self.form.steps), *self.form.conditions)
        rest = (rewrite(value, lambda node: ZERO if node in known else None) for value in values)
        return any(axis.name in variables(value) for value in rest)

    def depth(self, operand: Operand) -> int:
        """How many terms a dot has, filled up with zeros."""
        return filled(static(operand.inner.count) or 0)

    def width(self, number: int) -> int:
        """How many columns a sum has, filled up."""
        value, _ = self.operands.of_sums[number]
        return filled(static(value.outer.count) or 0, max(GRAIN, Owned.of(self.unit).cols))

    def width_fragments(self, number: int) -> int:
        return self.width(number) // Owned.of(self.unit).cols

    def held(self, number: int) -> int:
        """Elements of a row of shared memory of cols, filled up for the widest that reads them."""
        widths = [self.width(n) for n, (_, at) in enumerate(self.operands.of_sums) if at == number]
        depths = [self.depth(self.operands.cols[at]) for _, at in self.operands.of_dots if at == number]
        return max(widths + depths)

    @property
    def row_registers(self) -> int:
        """Registers of a thread for fragments of rows."""
        return self.row_fragments * sum(self.depth(operand) // GRAIN * 4 for operand in self.operands.rows)

    @property
    def sum_registers(self) -> int:
        """The same for dots and sums."""
        widths = sum(self.width_fragments(number) for number in range(len(self.form.sums)))
        return self.row_fragments * self.unit.d.registers * (len(self.form.dots) * self.col_fragments + widths)

    @property
    def keeps_rows(self) -> bool:
        """Do fragments of rows stay in registers?"""
        return self.is_turned or self.row_registers + self.sum_registers <= MOST_WITH_ROWS

    def row_name(self, operand: Operand, what: str) -> str:
        return self.name(f"${operand.read.tensor}_row_{what}")

    def named(self, tensor: Operand | Read, what: str) -> str:
        """The C name of a variable that belongs to a tensor."""
        return self.name(f"${tensor.read.tensor if isinstance(tensor, Operand) else tensor.tensor}_{what}")

    def value_of_row(self, read: Read, mi: Expr, half: Expr) -> Element:
        return element_of(self.array(f"${read.tensor}_value"), mi, half)

    def dot(self, dot: Dot) -> Local:
        return self.array(dot.name)

    def sums(self, total: Weighted) -> Local:
        return self.array(total.name)

    def weight(self, name: str) -> Local:
        """The registers that hold a weight as fragments of the next product."""
        return words(self.name(f"${name}_part"))

    def first_of(self, read: Read) -> Expr:
        """The offset of what is read for the first col, of the first head."""
        return substituted(read.offset, {axis.name: ZERO for axis in self.spec.cols})

    def step_of(self, read: Read) -> Expr:
        """Elements from one col to the next."""
        return dict(read.strides).get(self.cols.name) or ZERO

    def head_step(self, read: Read) -> Expr:
        """Elements from one head to the next."""
        return ZERO if self.head is None else dict(read.strides).get(self.head.name) or ZERO

    def first_operand(self, operand: Operand) -> Expr:
        """The offset of an operand's first element, of the first head."""
        return operand.first if self.head is None else substituted(operand.first, {self.head.name: ZERO})

    def title(self) -> str:
        rows, cols = (self.printer.value(each) for each in (self.rows.count, size(self.spec.cols)))
        times = f", {self.printer.value(self.batch.count)} times" if self.spec.batch else ""
        return f"{rows} rows x {cols} cols{times}; {self.tile.describe()}"

    def declarations(self) -> Iterable[Statement]:
        """Words of the machine, the first row of a block, its batch. Heads pass by, and are no part of it."""
        from_last = any(bound.is_end for bound in self.bounds)
        yield from self.block(self.spec, self.rows, self.batch, self.numbers, from_last=from_last)
        if self.ends:
            least = reduce(lambda a, b: Call("min", (a, b), INDEX), self.ends, self.cols.count)
            yield Declare(COLS_END.name, COLS_END.kind, self.known(least))

    @property
    def heads(self) -> Expr:
        """How many pass by."""
        return ONE if self.head is None else self.head.extent


MOST_WITH_ROWS = 168
"""Registers of a thread for fragments of rows, dots and sums, beside which there is room for what is on its way."""


def _values(form: Form, spec: Attention) -> tuple[tuple[Read, ...], tuple[Read, ...]]:
    """What the steps read for a row alone, and for a col alone, of 4 bytes: tensors that are read at one place each."""
    found = dict.fromkeys(read for step in form.steps for read in reads(step.value) if not read.guard)
    tensors = [read.tensor for read in found]
    plain = [read for read in found if tensors.count(read.tensor) == 1 and not any(True for _ in reads(read.offset))]
    rows, cols = ({axis.name for axis in axes} for axes in (spec.rows, spec.cols))
    of_row = tuple(read for read in plain if not variables(read.offset) & cols and read.dtype == "f32")
    by_col = [read for read in plain if variables(read.offset) & cols and not variables(read.offset) & rows]
    of_col = tuple(read for read in by_col if read.dtype == "f32" and _has_steps(read, spec.cols))
    return of_row, of_col


def _has_steps(read: Read, cols: Sequence[Axis]) -> bool:
    """Is there a step along each axis of cols? A copy goes by it."""
    steps = dict(read.strides)
    return all(steps.get(axis.name) is not None for axis in cols) and DTYPES[read.dtype].bytes == COL_VALUE_BYTES
