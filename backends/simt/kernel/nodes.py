"""A kernel as a value: buffers, and statements that a thread carries out in turn.

    Declare   a variable, an array of registers     Assign   a variable or an element gets a value
    Store     an element of a tensor is written     Do       a primitive that gives nothing
    Loop      variable from first up to extent      If       under a condition
    Block     names of its own                      Leave    the kernel or the loop, perhaps under a condition
    Barrier   of all threads of a block             Runs     of one key each, among keys that are in order
    CopyAsync, Commit, Wait     of asynchronous copies into shared memory, in groups
    LoadMatrix, Multiply        of fragments, which a warp holds together (`fragments.py`)

Values are typed expressions (`uol.ir.program.nodes`, and `c_text/terms.py` for what only kernels have); those of a spec come
as `Known`, with what holds where they stand. Names are C's: a builder legalises them once. `line` is the line of the operator.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from uol.backends.simt.c_text.signatures import Signature
from uol.backends.simt.c_text.terms import Kind
from uol.backends.simt.machine.fragments import MatrixUnit
from uol.codegen.backend import Launch
from uol.ir.program.nodes import Const, Expr

Memory = Literal["global", "shared"]
Body = tuple["Statement", ...]


@dataclass(frozen=True, slots=True)
class PerWarp:
    """An element for each warp of so many threads: warps are 32 or 64 lanes wide."""

    threads: int


@dataclass(frozen=True, slots=True)
class Buffer:
    """An array that threads share. `elements` (of several dims perhaps) of one in global memory are known to its spec alone;
    `written`: may a kernel write it?"""

    name: str
    kind: Kind
    memory: Memory
    elements: int | tuple[int, ...] | PerWarp | None = None
    written: bool = True


@dataclass(frozen=True, slots=True)
class Declare:
    """`const float e = value;`. Without a value, or where it is assigned to later, it is not constant. `extent`: of an array of
    registers, of several dims perhaps; `zeroed`: it starts with zeros."""

    name: str
    kind: Kind
    value: Expr | None = None
    extent: int | tuple[int, ...] | None = None
    constant: bool = True
    line: int | None = None
    zeroed: bool = False


@dataclass(frozen=True, slots=True)
class Assign:
    """`target = value;`, or `target += value;`, where `when` holds."""

    target: Expr
    value: Expr
    how: Literal["=", "+=", "*="] = "="
    line: int | None = None
    when: Expr | None = None


@dataclass(frozen=True, slots=True)
class Store:
    """`target = value;` of an element of a tensor, where `when` holds."""

    target: Expr
    value: Expr
    when: Expr | None = None
    line: int | None = None


@dataclass(frozen=True, slots=True)
class Do:
    """A primitive that gives nothing: `uol::store_vector(y, i, y_vec, aligned);`"""

    call: Expr
    line: int | None = None


@dataclass(frozen=True, slots=True)
class Loop:
    """for (variable = first; variable < extent; variable += step). `unrolled`: by the compiler; `times`: so many turns of it.
    `few`: turns that 32 bits count, whatever the type of indices. `bare`: one statement, without braces."""

    variable: str
    first: Expr
    extent: Expr
    body: Body
    step: int = 1
    unrolled: bool = False
    times: int | None = None
    few: bool = False
    bare: bool = False


@dataclass(frozen=True, slots=True)
class Runs:
    """The runs of keys between `begin` and `end`, one after another: each of the places from `first` up to `last`, whose key is
    `key`. `key_first` and `key_last` are the keys at these places."""

    first: str
    last: str
    key: str
    begin: Expr
    end: Expr
    key_first: Expr
    key_last: Expr
    body: Body


@dataclass(frozen=True, slots=True)
class If:
    """Statements under a condition, and others where it does not hold."""

    condition: Expr
    body: Body
    otherwise: Body = ()


@dataclass(frozen=True, slots=True)
class Block:
    """Statements with names of their own."""

    body: Body


@dataclass(frozen=True, slots=True)
class Leave:
    """`return`, `break` or `continue`, under a condition."""

    what: Literal["return", "break", "continue"]
    when: Expr


@dataclass(frozen=True, slots=True)
class Barrier:
    """All threads of a block come here before any goes on: what was written to shared memory is seen."""


@dataclass(frozen=True, slots=True)
class CopyAsync:
    """`bytes` from global memory to shared memory, on their way from now on; zeros where not `valid`, and nothing is read."""

    to: Expr
    source: Expr
    bytes: int
    valid: Expr | None = None


@dataclass(frozen=True, slots=True)
class Commit:
    """The copies since the last commit become a group."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Until at most `pending` of this thread's groups are on their way."""

    pending: int


@dataclass(frozen=True, slots=True)
class LoadMatrix:
    """Four 8 x 8 matrices of 16-bit elements of shared memory into fragments of a warp: lane l says where row l % 8 of matrix
    l / 8 lies. `transposed`: rows become columns on the way."""

    target: Expr
    at: Expr
    transposed: bool = False


@dataclass(frozen=True, slots=True)
class Multiply:
    """d += a * b by a matrix unit, of fragments in arrays of registers."""

    unit: MatrixUnit
    d: Expr
    a: Expr
    b: Expr


@dataclass(frozen=True, slots=True)
class Written:
    """A line of one of the kinds of kernels that still write text. No `Kernel` holds one."""

    text: str


Matrices = CopyAsync | Commit | Wait | LoadMatrix | Multiply
Statement = Declare | Assign | Store | Do | Loop | Runs | If | Block | Leave | Barrier | Matrices | Written


@dataclass(frozen=True, slots=True)
class Kernel:
    """One kernel with its launch. `index_type`: the C type of its indices."""

    title: str
    signature: Signature
    launch: Launch
    index_type: str
    buffers: tuple[Buffer, ...]
    scalars: tuple[tuple[str, Kind], ...]
    body: Body


def inner_bodies(statement: Statement) -> tuple[Body, ...]:
    """The statements within a statement."""
    match statement:
        case If(body=body, otherwise=otherwise) if otherwise:
            return (body, otherwise)
        case Loop(body=body) | Runs(body=body) | If(body=body) | Block(body=body):
            return (body,)
    return ()


def loop_variables(statement: Statement) -> tuple[str, ...]:
    """The variables that a loop declares."""
    match statement:
        case Loop(variable=variable):
            return (variable,)
        case Runs(first=first, last=last, key=key):
            return (first, last, key)
    return ()


def statements_of(body: Body) -> Iterator[Statement]:
    """All statements, outer ones first."""
    for statement in body:
        yield statement
        for inner in inner_bodies(statement):
            yield from statements_of(inner)


def values_of(statement: Statement) -> tuple[Expr, ...]:
    """The expressions of a statement, without those of what is within it."""
    match statement:
        case Declare(value=value):
            return () if value is None else (value,)
        case Assign(target=target, value=value, when=when) | Store(target=target, value=value, when=when):
            return (target, value) if when is None else (when, target, value)
        case Do(call=call):
            return (call,)
        case Loop(first=first, extent=extent, step=step):
            return (first, extent, Const(step))
        case Runs(begin=begin, end=end, key_first=key_first, key_last=key_last):
            return (begin, end, key_first, key_last)
        case If(condition=condition) | Leave(when=condition):
            return (condition,)
        case CopyAsync(to=to, source=source, valid=valid):
            return (to, source) if valid is None else (to, source, valid)
        case LoadMatrix(target=target, at=at):
            return (target, at)
        case Multiply(d=d, a=a, b=b):
            return (d, a, b)
    return ()
