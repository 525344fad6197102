"""What expressions of a kernel use: C names, buffers, and the kind of their values."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from uol.backends.simt.c_text.printer import Printer
from uol.backends.simt.c_text.terms import RECORD, Element, Kind, Known, Local, Offset, Part, Pointer, Primitive, Record, Scalar
from uol.codegen.specs.nodes import Read
from uol.codegen.specs.search import Search
from uol.ir.errors import UolError
from uol.ir.program.nodes import Expr, Var

MACHINE = frozenset({"threadIdx", "blockIdx"})
"""Words that no kernel declares."""
C_WORDS = frozenset({"long", "int"})
IDENTIFIER = re.compile(r"(?<![\w.])[A-Za-z_]\w*")


class KernelError(UolError):
    """A kernel that means nothing, or not what was meant. That is a fault of the compiler."""

    def __init__(self, message: str) -> None:
        super().__init__(message, hint="this is a fault of the compiler; please report it with the operator's text")


@dataclass(frozen=True, slots=True)
class Access:
    """A buffer or an array that an expression reads at `index`, an expression for each of its dims, or (None) gives to a
    primitive."""

    array: str
    index: tuple[Expr, ...] | None


def names_in(text: str) -> tuple[str, ...]:
    """The variables in how a name of a spec is spelled, in order: `x_vec[turn].at` are two."""
    return tuple(name for name in IDENTIFIER.findall(text) if name not in C_WORDS)


def used_names(expr: Expr, printer: Printer | None = None) -> Iterator[str]:
    """The C names that an expression is made of."""
    match expr:
        case Known(expr=inner, printer=own):
            yield from used_names(inner, own)
            return
        case Local(name=name):
            yield from names_in(name)
        case Var(name=name):
            yield from names_in(_known(name, printer).names.variable(name))
        case Read(tensor=tensor) | Search(tensor=tensor) | Pointer(tensor=tensor):
            yield from names_in(tensor_name(tensor, printer))
    for child in expr.children:
        yield from used_names(child, printer)


def variables_in(expr: Expr, printer: Printer | None = None) -> Iterator[tuple[str, Kind]]:
    """The variables of an expression, as what they are used."""
    match expr:
        case Known(expr=inner, printer=own):
            yield from variables_in(inner, own)
        case Local(name=name, kind=kind):
            yield name, kind
        case Var(name=name, dtype=dtype) if dtype != RECORD:
            spelled = _known(name, printer).names.variable(name)
            if IDENTIFIER.fullmatch(spelled):
                yield spelled, Scalar(dtype)
        case _:
            for child in expr.children:
                yield from variables_in(child, printer)


def accesses_in(expr: Expr, printer: Printer | None = None) -> Iterator[Access]:
    """The arrays that an expression reads, and those that it gives to primitives."""
    match expr:
        case Known(expr=inner, printer=own):
            yield from accesses_in(inner, own)
            return
        case Read(tensor=tensor, offset=offset):
            yield Access(root_of(tensor_name(tensor, printer)), (offset,))
        case Element(of=Pointer(tensor=tensor), index=index):
            yield Access(root_of(tensor_name(tensor, printer)), (index,))
            yield from accesses_in(index, printer)
            return
        case Element(of=Element(of=Pointer(tensor=tensor), index=outer), index=inner):
            yield Access(root_of(tensor_name(tensor, printer)), (outer, inner))
            for index in (outer, inner):
                yield from accesses_in(index, printer)
            return
        case Pointer(tensor=tensor) | Search(tensor=tensor):
            yield Access(root_of(tensor_name(tensor, printer)), None)
    for child in expr.children:
        yield from accesses_in(child, printer)


def primitives_in(expr: Expr) -> Iterator[Primitive]:
    """The calls of an expression."""
    if isinstance(expr, Primitive):
        yield expr
    for child in expr.children:
        yield from primitives_in(child)


def kind_of(expr: Expr) -> Kind | None:
    """What a value is; None where a primitive says nothing."""
    match expr:
        case Known(expr=inner):
            return kind_of(inner)
        case Pointer() | Offset():
            return None
        case Local(kind=kind) | Part(kind=kind) | Element(kind=kind) | Record(kind=kind) | Primitive(kind=kind):
            return kind
    if expr.type == RECORD:
        return kind_of(expr.children[-1]) if expr.children else None
    return Scalar(expr.type)


def tensor_name(tensor: str, printer: Printer | None) -> str:
    """How C calls a tensor, or an array in place of it."""
    return tensor if printer is None else printer.names.tensors.get(tensor, tensor)


def root_of(text: str) -> str:
    """The array in how it is spelled: `x_vec` of `x_vec[turn].at`."""
    found = IDENTIFIER.match(text)
    return text if found is None else found.group()


def array_of(target: Expr) -> str:
    """The variable, or the array, that an assignment changes."""
    return next(used_names(target))


def _known(name: str, printer: Printer | None) -> Printer:
    if printer is None:
        raise KernelError(f"a kernel uses {name} of its spec where nothing says what that is called")
    return printer
