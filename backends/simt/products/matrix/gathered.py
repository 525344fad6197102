"""Operands whose rows of memory data names: `x[src[m], d]`, the tokens of an expert.

Row m of the operand is row `src[m]` of the tensor. A thread looks up which rows it copies: rows of the result in front of the
loop over k; where k goes from row to row, those of a tile of k a turn before it copies them. A row that is not there is zeros,
and nothing is read of it.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from uol.backends.simt.c_text.printer import Printer
from uol.backends.simt.c_text.terms import Known, Local, Scalar
from uol.backends.simt.kernel.nodes import Body, Declare
from uol.backends.simt.kernel.scope import all_of
from uol.codegen.indexing.affine import affine
from uol.codegen.specs.nodes import Arg, Read
from uol.ir.program.nodes import Axis, Call, Const, Expr, Var
from uol.ir.program.walk import rewrite, variables, walk
from uol.ir.types import INDEX

INTEGERS = frozenset({"i32", "i64"})
"""Types of numbers of rows."""
NO_ROW = -1
"""The number of a row that is not there."""


@dataclass(frozen=True, slots=True)
class Lookup:
    """Where a row of an operand lies: in row `number` of its tensor, which has as many as `rows` says; its places are those of
    `row`, an axis of these. `conditions` on it hold where there is such a row; none where there always is. `axis`: along which
    axis of the contraction rows are looked up."""

    axis: str
    number: Read
    row: Axis
    conditions: tuple[Expr, ...]

    @property
    def kind(self) -> Scalar:
        """What the number of a row is read into."""
        return Scalar("i64" if self.number.dtype == "i64" else INDEX)

    def in_order(self, read: Read) -> Read:
        """The read at a row that there is, whose number is `row`."""
        place = Call("cast", (self.number,), INDEX)
        exchange: dict[Expr, Expr] = {place: Var(self.row.name, INDEX)}
        return replace(read, offset=rewrite(read.offset, exchange.get), guard=(), fill=None)

    def are_met(self, by: Expr) -> tuple[Expr, ...]:
        """The conditions, of a number of a row that has been read."""
        exchange: dict[Expr, Expr] = {Var(self.row.name, INDEX): by}
        return tuple(rewrite(each, exchange.get) for each in self.conditions)


def looked_up(read: Read, axis: str, arg: Arg, dims: Collection[str]) -> tuple[Read, Lookup] | None:
    """A read at rows that data names along an axis, as one of a matrix with these rows in their order: its strides are those of
    the rows that it has. None where it is no such read."""
    places = {node for node in walk(read.offset) if isinstance(node, Call) and _number_of(node) is not None}
    if len(places) != 1 or (read.guard and read.fill is not None and not _is_zero(read.fill)):
        return None
    (place,) = places
    number = _number_of(place)
    assert number is not None
    row = f"$rows_of_{read.tensor}"
    exchange: dict[Expr, Expr] = {place: Var(row, INDEX)}
    offset = rewrite(read.offset, exchange.get)
    conditions = tuple(rewrite(c, exchange.get) for guard in read.guard for c in guard.conditions)
    names = [name for name, _ in read.strides]
    form = affine(offset, [*names, row])
    if form is None or variables(number.offset) != {axis} or form.factors.get(axis):
        return None
    if any(not variables(each) <= {row, *dims} or any(isinstance(n, Read) for n in walk(each)) for each in conditions):
        return None
    pitch = form.factor(row)
    rows = next((extent for extent, stride in zip(arg.shape, arg.strides, strict=True) if stride == pitch), None)
    if rows is None:
        return None
    strides = tuple((name, pitch if name == axis else form.factor(name)) for name in names)
    found = replace(read, offset=offset, strides=strides, guard=(), fill=None)
    return found, Lookup(axis, number, Axis(row, rows), conditions)


def row_number(lookup: Lookup, printer: Printer, name: str, at: Expr) -> tuple[Body, Local]:
    """`const int m = ...; const long long x_row = src[m];`, and that."""
    number = Local(name, lookup.kind)
    place = Declare(printer.names.variable(lookup.axis), Scalar(INDEX), at)
    return (place, Declare(name, lookup.kind, Known(lookup.number, printer))), number


def is_there(lookup: Lookup, printer: Printer, number: Expr) -> Expr | None:
    """Is there a row of that number? None where there always is."""
    conditions = [Known(each, printer) for each in lookup.are_met(number)]
    return all_of(conditions) if conditions else None


def _number_of(node: Call) -> Read | None:
    """What is read where a place is an integer of memory, as it is."""
    match node:
        case Call(fn="cast", dtype="idx", args=(Read(guard=(), dtype=dtype) as read,)) if dtype in INTEGERS:
            return read
    return None


def _is_zero(fill: Expr) -> bool:
    return isinstance(fill, Const) and fill.value == 0
