"""How a fold starts, takes in one value, and is shared by a block."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from uol.backends.simt.c_text.printer import Printer
from uol.backends.simt.c_text.terms import Functor, Local, Part, Pick, Pointer, Primitive, Record, Scalar, infinity
from uol.backends.simt.kernel.nodes import Assign, Declare
from uol.backends.simt.kernel.scope import Scope
from uol.codegen.specs.nodes import Fold
from uol.codegen.specs.steps import BINARY_OF, PICKS, RECURRENCE
from uol.ir.program.nodes import Call, Const, Expr, Var
from uol.ir.types import DTYPES, INDEX, integer_range, is_float

FUNCTORS = {op: op.capitalize() for op in BINARY_OF} | {"argmax": "ArgMax", "argmin": "ArgMin"}
"""What joins the values of threads. Those of a recurrence are joined as maps, by a function of their own."""
IN_PLACE: Mapping[str, Literal["+=", "*="]] = {"sum": "+=", "prod": "*="}


@dataclass(frozen=True, slots=True)
class Folding:
    """A fold in a kernel. `target` accumulates, from `start` on; for argmax and argmin it is a `uol::Pick`, and `result` takes
    the index out of it when the row is done."""

    fold: Fold
    kind: Scalar | Pick
    target: Local
    start: Expr
    result: Declare | None

    @property
    def op(self) -> str:
        return self.fold.op

    def declared(self, name: str | None = None) -> Declare:
        """`float z = 0.0f;`, or by another name."""
        return Declare(name or self.target.name, self.kind, self.start, constant=False, line=self.fold.line)

    @property
    def functor(self) -> Functor:
        """The step between two values, as an object."""
        return Functor(FUNCTORS[self.op])

    def shared(self, threads: int, scratch: str) -> Assign:
        """The fold over a block."""
        target = self.target
        of: tuple[Expr, ...] = (target,)
        if isinstance(self.kind, Pick):
            of = (Part(target, "value", Scalar(self.kind.value)), Part(target, "index", Scalar(INDEX)))
        return Assign(target, Primitive(f"block_{self.op}", (threads,), (*of, Pointer(scratch)), self.kind))

    def grouped(self, lanes: int) -> Assign:
        """The fold over lanes of a warp."""
        return Assign(self.target, Primitive("group_fold", (lanes,), (self.target, self.functor), self.kind))


def folding(fold: Fold, printer: Printer) -> Folding:
    """A fold; value and position come later, with `take`."""
    name = printer.names.variable(fold.name)
    if fold.op not in PICKS:
        kind = Scalar(fold.dtype)
        return Folding(fold, kind, Local(name, kind), identity(fold.op, fold.dtype), None)
    dtype = fold.value.type
    pick = Local(f"{name}_pick", Pick(dtype))
    worst = identity("max" if fold.op == "argmax" else "min", dtype)
    start = Record(Pick(dtype), (worst, Primitive("highest", (Scalar(INDEX),), (), Scalar(INDEX))), named=False)
    return Folding(fold, Pick(dtype), pick, start, Declare(name, Scalar(fold.dtype), Part(pick, "index", Scalar(INDEX))))


def take(folding: Folding, scope: Scope, value: Expr, position: Expr, target: Expr | None = None) -> Assign:
    """The statement that folds in one value, of column `position`. `target`: what accumulates, where it is an element."""
    fold, into = folding.fold, folding.target if target is None else target
    known = scope.known(into)
    if fold.op == RECURRENCE:
        by, plus = value.children
        moved = Call("*", (by, Var(fold.name, fold.dtype)), fold.dtype)
        return Assign(known, scope.known(Call("+", (moved, plus), fold.dtype)), line=fold.line)
    if isinstance(folding.kind, Pick):
        candidate = Record(folding.kind, (value, position))
        best = Primitive(f"pick_{fold.op[3:]}", (), (into, candidate), folding.kind)
        return Assign(known, scope.known(best), line=fold.line)
    if fold.op in IN_PLACE and is_float(fold.dtype):
        return Assign(known, scope.known(value), IN_PLACE[fold.op], fold.line)
    step = Call(BINARY_OF[fold.op], (Var(fold.name, fold.dtype), value), fold.dtype)
    return Assign(known, scope.known(step), line=fold.line)


def identity(op: str, dtype: str) -> Expr:
    """Rule 7 of the language: what an empty fold gives."""
    match op:
        case "sum" | "any" | "recurrence":
            return Const(0, dtype)
        case "prod" | "all":
            return Const(1, dtype)
    if is_float(dtype):
        return Call("neg", (infinity(dtype),), dtype) if op == "max" else infinity(dtype)
    low, high = integer_range(dtype) if DTYPES[dtype].kind != "bool" else (0, 1)
    return Const(low if op == "max" else high, dtype)
