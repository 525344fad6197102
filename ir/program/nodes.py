"""The typed program: what an operator means once its types, ranks, dims and compile-time attributes are fixed.

    Program = tensors + stages;  Stage: name[axes] = value;  Scatter: name[target] += value
    Expr    = Const | Var | Call | Load | Reduce | Order  (code generation adds `Read` in place of `Load`)

Index expressions have dtype "idx" and are unbounded integers; `/` and `%` on them floor. All nodes are frozen and
compare by structure; spans do not take part in the comparison.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, Self

from uol.ir.syntax.span import Span
from uol.ir.types import INDEX, is_float

Role = Literal["in", "out", "local", "workspace"]


@dataclass(frozen=True, slots=True)
class Expr:
    """Base of the expression nodes. Every subclass has a `dtype`, and says what it is made of: walks and rewrites
    (`uol.ir.program.walk`) know of no kind of node."""

    @property
    def type(self) -> str:
        dtype: str = getattr(self, "dtype")  # noqa: B009 - a field of every subclass; a declared field here would come first
        return dtype

    @property
    def children(self) -> tuple[Expr, ...]:
        """The direct operands, guards and fills included: what is evaluated for the value."""
        return ()

    def map_children(self, go: Callable[[Expr], Expr]) -> Self:
        """The node with every operand, and every extent and stride that it names, exchanged for `go` of it."""
        return self


@dataclass(frozen=True, slots=True)
class Const(Expr):
    """A literal of a known type; `inf`, `-inf` and `nan` are float values."""

    value: int | float | bool
    dtype: str = INDEX


def zero_of(dtype: str) -> Const:
    """0 of any type; of bool, False."""
    return Const(False if dtype == "bool" else 0.0 if is_float(dtype) else 0, dtype)


@dataclass(frozen=True, slots=True)
class Var(Expr):
    """An index, a symbolic dim, a run-time attribute, or (in a kernel) the name of an earlier step's value."""

    name: str
    dtype: str = INDEX


@dataclass(frozen=True, slots=True)
class Call(Expr):
    """`fn` applied to `args`. Functions:

    arithmetic   + - * / % neg min max            (max and min propagate NaN; integer / and % floor)
    comparison   < <= > >= == !=                  -> bool
    logic        and or not                       -> bool
    select       (condition, a, b), lazy
    cast         to `dtype`, as the language casts
    built-ins    the table of `uol.ir.functions`: exp log sqrt rsqrt tanh erf abs floor ceil round sin cos pow ...
    """

    fn: str
    args: tuple[Expr, ...]
    dtype: str
    span: Span | None = field(default=None, compare=False, repr=False)

    @property
    def children(self) -> tuple[Expr, ...]:
        return self.args

    def map_children(self, go: Callable[[Expr], Expr]) -> Self:
        return type(self)(self.fn, tuple(map(go, self.args)), self.dtype, self.span)  # often: `replace` takes thrice as long


@dataclass(frozen=True, slots=True)
class Load(Expr):
    """`tensor[index]`, or `fill` where one of the `guard` conditions (bool, over indices and dims) is false.

    An access whose every dim was proven in range has no guard and no fill. An index may hold another `Load`
    (data-dependent): with a guard for it, unless that tensor holds places of an `Order` or of an extremum, whose range
    is known.
    """

    tensor: str
    index: tuple[Expr, ...]
    guard: tuple[Expr, ...]
    fill: Expr | None
    dtype: str
    span: Span | None = field(default=None, compare=False, repr=False)

    @property
    def children(self) -> tuple[Expr, ...]:
        return self.index + self.guard + (() if self.fill is None else (self.fill,))

    def map_children(self, go: Callable[[Expr], Expr]) -> Self:
        fill = None if self.fill is None else go(self.fill)
        return replace(self, index=tuple(map(go, self.index)), guard=tuple(map(go, self.guard)), fill=fill)


@dataclass(frozen=True, slots=True)
class Axis:
    """An index `name` that runs over 0 <= name < extent."""

    name: str
    extent: Expr

    def map_extent(self, go: Callable[[Expr], Expr]) -> Axis:
        return Axis(self.name, go(self.extent))


@dataclass(frozen=True, slots=True)
class Reduce(Expr):
    """`op[axes](body)`; op is one of sum prod max min any all argmax argmin.

    argmax and argmin give the row-major linear index over `axes` as i64, and need an element.
    Of nothing the others give 0, 1, the least and the greatest value, false, true.
    `where` holds further conditions on the axes (masked reductions); where one is false the body does not count.
    """

    op: str
    axes: tuple[Axis, ...]
    body: Expr
    dtype: str
    where: tuple[Expr, ...] = ()
    span: Span | None = field(default=None, compare=False, repr=False)

    @property
    def children(self) -> tuple[Expr, ...]:
        return (self.body, *self.where)

    def map_children(self, go: Callable[[Expr], Expr]) -> Self:
        axes = tuple(a.map_extent(go) for a in self.axes)
        return replace(self, axes=axes, body=go(self.body), where=tuple(map(go, self.where)))


@dataclass(frozen=True, slots=True)
class Order(Expr):
    """The index along `axis` of the element that stands at `place` once the values of `body` are sorted.

    Ascending or descending; equal values keep their order, and NaN is greater than every number. Only ever the
    whole value of a stage, where `place` is its index that the body does not depend on.
    """

    axis: Axis
    body: Expr
    place: Var
    descending: bool
    dtype: str
    span: Span | None = field(default=None, compare=False, repr=False)

    @property
    def children(self) -> tuple[Expr, ...]:
        return self.body, self.place

    def map_children(self, go: Callable[[Expr], Expr]) -> Self:
        return replace(self, axis=self.axis.map_extent(go), body=go(self.body), place=still_var(go(self.place)))


def still_var(index: Expr) -> Var:
    """What a stage is ordered, summed or segmented along is an index of it, whatever becomes of its operands."""
    assert isinstance(index, Var), f"{index!r} stands where an index of the stage must"
    return index


@dataclass(frozen=True, slots=True)
class Tensor:
    name: str
    dtype: str
    shape: tuple[Expr, ...]
    role: Role


@dataclass(frozen=True, slots=True)
class Scalar:
    """A run-time attribute: a float (f64 where a tensor of the program is f64, else f32) or an i64."""

    name: str
    dtype: str


@dataclass(frozen=True, slots=True)
class Stage:
    """`name[axes] = value`: one statement. `line` is its line in the printed op (1 is the `op` line)."""

    name: str
    axes: tuple[Axis, ...]
    value: Expr
    dtype: str
    line: int
    span: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Scatter(Stage):
    """`name[target] += value` at every point of `axes` where the `guard` holds; the tensor starts at 0.

    The order of the additions is not specified. Targets whose range was proven have no guard.
    """

    target: tuple[Expr, ...] = ()
    guard: tuple[Expr, ...] = ()


@dataclass(frozen=True, slots=True)
class Put(Stage):
    """A stage whose value at each point of `axes` is `into[target]`, too; its own tensor is local. All puts into a tensor
    together put each of its elements once. Passes make them; no text has one.
    """

    into: str = ""
    target: tuple[Expr, ...] = ()


@dataclass(frozen=True, slots=True)
class Tally(Stage):
    """`name[k]` is how many of the keys that the order `of` puts in order are k; the value is 1. Passes make it."""

    of: str = ""


@dataclass(frozen=True, slots=True)
class Program:
    """A checked operator at fixed types and ranks.

    dims      names that stayed symbolic (empty when every dim was given)
    facts     bool expressions over the symbolic dims that the proofs assumed (dims >= 0, the `where` clause)
    checks    obligations without a loop index that were not proven: to be checked at the call (ShapeError)
    sorted    inputs whose values are promised to be in ascending order
    finite    inputs that are promised to have no NaN and no infinity
    permutations    integer tensors that are promised, or made, to hold each of the numbers below how many they are once
    text      the printed op, for header comments
    """

    name: str
    tensors: Mapping[str, Tensor]
    stages: tuple[Stage, ...]
    scalars: tuple[Scalar, ...]
    dims: tuple[str, ...]
    facts: tuple[Expr, ...]
    checks: tuple[Expr, ...]
    text: str
    sorted: tuple[str, ...] = ()
    finite: tuple[str, ...] = ()
    permutations: tuple[str, ...] = ()

    def by_role(self, role: Role) -> tuple[Tensor, ...]:
        """The tensors of one role, in the order of the signature (locals: in the order of the statements)."""
        return tuple(t for t in self.tensors.values() if t.role == role)
