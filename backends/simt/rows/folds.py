"""How a fold starts, takes in one value, and is shared by a block."""

from __future__ import annotations

from dataclasses import dataclass

from uol.backends.simt.c_text.printer import Printer, literal
from uol.codegen.specs.nodes import Fold
from uol.codegen.specs.steps import BINARY_OF, PICKS, RECURRENCE
from uol.ir.program.nodes import Call, Const, Expr, Var
from uol.ir.types import DTYPES, integer_range, is_float

FUNCTORS = {op: op.capitalize() for op in BINARY_OF} | {"argmax": "ArgMax", "argmin": "ArgMin"}
"""What joins the values of threads. Those of a recurrence are joined as maps, by a function of their own."""
IN_PLACE = {"sum": "+=", "prod": "*="}


@dataclass(frozen=True, slots=True)
class Scratch:
    """Shared memory of block folds, one array a type."""

    ctype: str
    name: str


@dataclass(frozen=True, slots=True)
class FoldText:
    """C text of one fold. `variable` accumulates; for argmax and argmin it is a `uol::Pick`, and `result` takes the
    index out of it when the row is done."""

    ctype: str
    variable: str
    start: str
    op: str
    result: str | None

    def declaration(self, variable: str | None = None) -> str:
        return f"{self.ctype} {variable or self.variable} = {self.start};"

    @property
    def functor(self) -> str:
        """The step between two values, as an object."""
        return f"uol::{FUNCTORS[self.op]}"

    @property
    def map_type(self) -> str:
        """Of what a thread's steps of a recurrence compose to."""
        return f"uol::Affine<{self.ctype}>"

    def shared(self, threads: int, scratch: str) -> str:
        """The fold over a block."""
        arguments = f"{self.variable}.value, {self.variable}.index" if self.result else self.variable
        return f"{self.variable} = uol::block_{self.op}<{threads}>({arguments}, {scratch});"

    def grouped(self, lanes: int) -> str:
        """The fold over lanes of a warp."""
        return f"{self.variable} = uol::group_fold<{lanes}>({self.variable}, {self.functor}{{}});"


def fold_text(fold: Fold, printer: Printer) -> FoldText:
    """The text of a fold; `value` and position come later, with `take`."""
    name = printer.names.variable(fold.name)
    if fold.op not in PICKS:
        return FoldText(printer.ctype(fold.dtype), name, identity(fold.op, fold.dtype, printer), fold.op, None)
    value = printer.ctype(fold.value.type)
    ctype = f"uol::Pick<{value}, {printer.index_type}>"
    worst = identity("max" if fold.op == "argmax" else "min", fold.value.type, printer)
    start = f"{{{worst}, uol::highest<{printer.index_type}>()}}"
    return FoldText(ctype, f"{name}_pick", start, fold.op, f"const long long {name} = {name}_pick.index;")


def take(fold: Fold, text: FoldText, printer: Printer, value: Expr, position: str) -> str:
    """The statement that folds in one value, of column `position`."""
    if fold.op == RECURRENCE:
        by, plus = value.children
        moved = Call("*", (by, Var(fold.name, fold.dtype)), fold.dtype)
        return f"{text.variable} = {printer.value(Call('+', (moved, plus), fold.dtype))};"
    if fold.op in PICKS:
        candidate = f"{text.ctype}{{{printer.value(value)}, {position}}}"
        return f"{text.variable} = uol::pick_{fold.op[3:]}({text.variable}, {candidate});"
    if fold.op in IN_PLACE and is_float(fold.dtype):
        return f"{text.variable} {IN_PLACE[fold.op]} {printer.value(value)};"
    step = Call(BINARY_OF[fold.op], (Var(fold.name, fold.dtype), value), fold.dtype)
    return f"{text.variable} = {printer.value(step)};"


def identity(op: str, dtype: str, printer: Printer) -> str:
    """Rule 7 of the language: what an empty fold gives."""
    match op:
        case "sum" | "any" | "recurrence":
            return literal(Const(0, dtype))
        case "prod" | "all":
            return literal(Const(1, dtype))
    if is_float(dtype):
        return f"{'-' if op == 'max' else ''}uol::infinity<{printer.ctype(dtype)}>()"
    low, high = integer_range(dtype) if DTYPES[dtype].kind != "bool" else (0, 1)
    return literal(Const(low if op == "max" else high, dtype))
