"""What expressions of a kernel have beside those of a spec: variables by their C names, parts of records, calls of primitives.

They are expressions of `uol.ir.program.nodes`, so that walks and rewrites go through them. A `Known` has with it what holds
where it stands: the names of what it reads, their ranges, the type of indices.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Self

from uol.backends.simt.c_text.printer import ADDITIVE, Printer
from uol.backends.simt.c_text.term import Term
from uol.backends.simt.c_text.types import COMPUTE, STORAGE
from uol.ir.program.nodes import Call, Const, Expr
from uol.ir.types import INDEX

RECORD = "record"
"""The type of an expression that is no single number."""


@dataclass(frozen=True, slots=True)
class Scalar:
    """A number as a thread computes with it; `stored`: as it lies in memory."""

    dtype: str
    stored: bool = False


@dataclass(frozen=True, slots=True)
class Pick:
    """A value and the index at which it was found."""

    value: str


@dataclass(frozen=True, slots=True)
class Vector:
    """`width` values side by side."""

    of: Scalar | Pick
    width: int


@dataclass(frozen=True, slots=True)
class Word:
    """The 32 bits of a register that holds a part of a fragment: two halves, a float, four bytes."""


@dataclass(frozen=True, slots=True)
class Address:
    """The place of an element in memory; `written`: may a kernel write there?"""

    of: Scalar
    written: bool = False


@dataclass(frozen=True, slots=True)
class BufferRange:
    """A part of memory for loads that give zeros beyond it."""


Kind = Scalar | Pick | Vector | Word | Address | BufferRange


def ctype_of(kind: Kind, index_type: str) -> str:
    """The C type of a kind.

    >>> ctype_of(Vector(Scalar("f16", stored=True), 8), "int"), ctype_of(Pick("f16"), "int")
    ('uol::Vector<uol::f16, 8>', 'uol::Pick<float, int>')
    """
    match kind:
        case Vector(of=of, width=width):
            return f"uol::Vector<{ctype_of(of, index_type)}, {width}>"
        case Pick(value=value):
            return f"uol::Pick<{ctype_of(Scalar(value), index_type)}, {index_type}>"
        case Word():
            return "unsigned"
        case BufferRange():
            return "uol::BufferRange"
        case Address(of=of, written=written):
            return f"{'' if written else 'const '}{ctype_of(of, index_type)}*"
        case Scalar(dtype=dtype, stored=stored):
            return index_type if dtype == INDEX else (STORAGE if stored else COMPUTE)[dtype]


@dataclass(frozen=True, slots=True)
class Local(Term):
    """A variable, or a word of the machine, by its C name. `limit`: what a number is less than, where that is known."""

    name: str
    kind: Kind = Scalar(INDEX)
    limit: int | None = field(default=None, compare=False)

    @property
    def dtype(self) -> str:
        return dtype_of(self.kind)

    def c_text(self, printer: Printer, level: int) -> str:
        return self.name


THREAD, BLOCK = Local("threadIdx.x"), Local("blockIdx.x")
"""Which thread of its block one is, and which block of the grid. CUDA and HIP have the same words for them."""


@dataclass(frozen=True, slots=True)
class Wide(Term):
    """An index of 32 bits as one of the kernel's index type, before it is computed with."""

    expr: Expr
    dtype: str = INDEX

    @property
    def children(self) -> tuple[Expr, ...]:
        return (self.expr,)

    def map_children(self, go: Callable[[Expr], Expr]) -> Self:
        return replace(self, expr=go(self.expr))

    def c_text(self, printer: Printer, level: int) -> str:
        return f"({printer.index_type}){printer.value(self.expr, level)}"


def block_index(printer: Printer) -> Expr:
    """The number of a block, in the type in which indices are computed."""
    return BLOCK if printer.index_type == "int" else Wide(BLOCK)


@dataclass(frozen=True, slots=True)
class Known(Term):
    """An expression and what is known where it stands. `stored`: as it is written to memory."""

    expr: Expr
    printer: Printer = field(hash=False)
    stored: bool = False

    @property
    def dtype(self) -> str:
        return self.expr.type

    @property
    def children(self) -> tuple[Expr, ...]:
        return (self.expr,)

    def map_children(self, go: Callable[[Expr], Expr]) -> Self:
        return replace(self, expr=go(self.expr))

    def c_text(self, printer: Printer, level: int) -> str:
        return self.printer.stored(self.expr, level) if self.stored else self.printer.value(self.expr, level)


@dataclass(frozen=True, slots=True)
class Part(Term):
    """`of.name`, of a kind."""

    of: Expr
    name: str
    kind: Kind

    @property
    def dtype(self) -> str:
        return dtype_of(self.kind)

    @property
    def children(self) -> tuple[Expr, ...]:
        return (self.of,)

    def map_children(self, go: Callable[[Expr], Expr]) -> Self:
        return replace(self, of=go(self.of))

    def c_text(self, printer: Printer, level: int) -> str:
        return f"{printer.value(self.of)}.{self.name}"


@dataclass(frozen=True, slots=True)
class Element(Term):
    """`of[index]` of an array of registers, or `of.at[index]` of a vector."""

    of: Expr
    index: Expr
    kind: Kind
    vector: bool = False

    @property
    def dtype(self) -> str:
        return dtype_of(self.kind)

    @property
    def children(self) -> tuple[Expr, ...]:
        return (self.of, self.index)

    def map_children(self, go: Callable[[Expr], Expr]) -> Self:
        return replace(self, of=go(self.of), index=go(self.index))

    def c_text(self, printer: Printer, level: int) -> str:
        return f"{printer.value(self.of)}{'.at' if self.vector else ''}[{printer.value(self.index)}]"


@dataclass(frozen=True, slots=True)
class Offset(Term):
    """`of + first`: an array of registers from one of them on."""

    of: Expr
    first: Expr
    dtype: str = RECORD

    @property
    def children(self) -> tuple[Expr, ...]:
        return (self.of, self.first)

    def map_children(self, go: Callable[[Expr], Expr]) -> Self:
        return replace(self, of=go(self.of), first=go(self.first))

    def c_text(self, printer: Printer, level: int) -> str:
        return f"{printer.value(self.of)} + {printer.value(self.first)}"


@dataclass(frozen=True, slots=True)
class Pointer(Term):
    """The place where a tensor begins, or a part of it from an element on: the argument of a primitive."""

    tensor: str
    first: Expr | None = None
    dtype: str = RECORD

    @property
    def children(self) -> tuple[Expr, ...]:
        return () if self.first is None else (self.first,)

    def map_children(self, go: Callable[[Expr], Expr]) -> Self:
        return replace(self, first=None if self.first is None else go(self.first))

    def c_text(self, printer: Printer, level: int) -> str:
        name = printer.names.tensors.get(self.tensor, self.tensor)
        return name if self.first is None else f"{name} + {printer.value(self.first, ADDITIVE)}"


@dataclass(frozen=True, slots=True)
class Primitive(Term):
    """A call of a function of the device header, by name: `uol::load_vector<8>(x, i, aligned)`."""

    name: str
    parameters: tuple[Kind | int, ...]
    args: tuple[Expr, ...]
    kind: Kind | None = None

    @property
    def dtype(self) -> str:
        return RECORD if self.kind is None else dtype_of(self.kind)

    @property
    def children(self) -> tuple[Expr, ...]:
        return self.args

    def map_children(self, go: Callable[[Expr], Expr]) -> Self:
        return replace(self, args=tuple(map(go, self.args)))

    def c_text(self, printer: Printer, level: int) -> str:
        texts = (str(p) if isinstance(p, int) else ctype_of(p, printer.index_type) for p in self.parameters)
        template = f"<{', '.join(texts)}>" if self.parameters else ""
        return f"uol::{self.name}{template}({', '.join(map(printer.value, self.args))})"


@dataclass(frozen=True, slots=True)
class Record(Term):
    """`uol::Pick<float, int>{value, index}`; without its type where a declaration has it."""

    kind: Pick
    args: tuple[Expr, ...]
    named: bool = True
    dtype: str = RECORD

    @property
    def children(self) -> tuple[Expr, ...]:
        return self.args

    def map_children(self, go: Callable[[Expr], Expr]) -> Self:
        return replace(self, args=tuple(map(go, self.args)))

    def c_text(self, printer: Printer, level: int) -> str:
        kind = ctype_of(self.kind, printer.index_type) if self.named else ""
        return f"{kind}{{{', '.join(map(printer.value, self.args))}}}"


@dataclass(frozen=True, slots=True)
class Functor(Term):
    """`uol::Sum{}`: what a primitive joins values by."""

    name: str
    dtype: str = RECORD

    def c_text(self, printer: Printer, level: int) -> str:
        return f"uol::{self.name}{{}}"


def dtype_of(kind: Kind) -> str:
    """The type of an expression of a kind."""
    return kind.dtype if isinstance(kind, Scalar) else RECORD


def infinity(dtype: str) -> Expr:
    """A float type's."""
    return Primitive("infinity", (Scalar(dtype),), (), Scalar(dtype))


def select(condition: Expr, yes: Expr, no: Expr) -> Expr:
    """The one or the other."""
    return Call("select", (condition, yes, no), yes.type)


def plus(a: Expr, b: Expr) -> Expr:
    """The sum of two indices, as it is written: nothing is folded."""
    return Call("+", (a, b), INDEX)


def times(a: Expr, number: int) -> Expr:
    """A multiple of an index, as it is written."""
    return Call("*", (a, Const(number)), INDEX)


def less(a: Expr, b: Expr) -> Expr:
    """a < b"""
    return Call("<", (a, b), "bool")
