"""Integers that memory has for the batch of a block, as its number of keys, in variables of their own."""

from __future__ import annotations

from collections.abc import Iterable

from uol.backends.simt.c_text.counters import Counter
from uol.backends.simt.c_text.printer import Printer
from uol.backends.simt.c_text.proofs import WIDE
from uol.backends.simt.c_text.terms import Known, Scalar
from uol.backends.simt.kernel.nodes import Declare, Statement
from uol.codegen.attention.batch_numbers import BatchNumber
from uol.codegen.indexing.arithmetic import mul
from uol.ir.program.nodes import Call, Const, Expr
from uol.ir.types import INDEX

FARTHEST = 2**30
"""More than there are cols where indices have 32 bits (`room_for`); what is added to it, or taken from it, fits these, too."""


def room_for(numbers: Iterable[BatchNumber], cols: Expr) -> tuple[Expr, ...]:
    """What indices must hold of the number of cols where there are such integers."""
    return (mul(cols, Const(2)),) if any(True for _ in numbers) else ()


def declared(numbers: Iterable[BatchNumber], batch: Counter, printer: Printer) -> Iterable[Statement]:
    """`const int length_of_batch = ...;`, behind the axes of the batch."""
    for each in numbers:
        value = _as_index(batch.shorter(each.read), printer)
        yield Declare(printer.names.variable(each.name), Scalar(INDEX), Known(value, printer))


def read_at(numbers: Iterable[BatchNumber], batch: Counter) -> Iterable[Expr]:
    """The reads of these integers, for those who declare the axes of the batch that they need."""
    return (batch.shorter(each.read) for each in numbers)


def _as_index(read: Expr, printer: Printer) -> Expr:
    """An integer from memory; where indices have 32 bits, within `FARTHEST`: the same beside all cols that there are."""
    if printer.index_type == WIDE:
        return Call("cast", (read,), INDEX)
    most, least = (Const(each, read.type) for each in (FARTHEST, -FARTHEST))
    within = Call("max", (Call("min", (read, most), read.type), least), read.type)
    return Call("cast", (within,), INDEX)
