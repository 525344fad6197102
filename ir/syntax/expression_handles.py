"""Surface expressions that Python's operators build: `x[n, c] * 2 + fn.exp(y[n])`.

A handle wraps a node of `uol.ir.syntax.surface`; what it builds is what the parser would have built from the same text.

    + - * / %  < <= > >= == !=     as in the language
    & | ~                          and, or, not (Python's words cannot be given another meaning)
    x[i, j]                        an access; `x[i - 1].otherwise(0)` is `x[i - 1] else 0`
    fn.exp(v), fn.sum[c, j <= i](v), fn.conv2d(x, w, stride=2)[n, o, p, q]
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn, TypeAlias

from uol.ir.errors import TypeCheckError
from uol.ir.syntax import surface
from uol.ir.types import accumulator_of

Operand: TypeAlias = "Handle | int | float | bool"
Items: TypeAlias = "Operand | tuple[Operand, ...]"


def _binary(op: str) -> Callable[[Handle, Operand], Handle]:
    return lambda self, other: Handle(surface.Binary(op, expression_of(self), expression_of(other)))


def _reflected(op: str) -> Callable[[Handle, Operand], Handle]:
    return lambda self, other: Handle(surface.Binary(op, expression_of(other), expression_of(self)))


@dataclass(frozen=True, slots=True, eq=False)
class Handle:
    """An expression, a dim, an index, a tensor's name, or a pack of dims or indices."""

    node: surface.Expr | surface.Pack

    __add__, __radd__ = _binary("+"), _reflected("+")
    __sub__, __rsub__ = _binary("-"), _reflected("-")
    __mul__, __rmul__ = _binary("*"), _reflected("*")
    __truediv__, __rtruediv__ = _binary("/"), _reflected("/")
    __mod__, __rmod__ = _binary("%"), _reflected("%")
    __and__, __rand__ = _binary("and"), _reflected("and")
    __or__, __ror__ = _binary("or"), _reflected("or")
    __lt__, __le__ = _binary("<"), _binary("<=")
    __gt__, __ge__ = _binary(">"), _binary(">=")
    __eq__, __ne__ = _binary("=="), _binary("!=")  # type: ignore[assignment]  # a comparison of the language, not of Python
    __hash__ = None  # type: ignore[assignment]  # what compares to an expression belongs in no set

    def __neg__(self) -> Handle:
        return Handle(surface.Unary("neg", expression_of(self)))

    def __invert__(self) -> Handle:
        return Handle(surface.Unary("not", expression_of(self)))

    def __iadd__(self, value: Operand) -> Handle:
        """`y[at[n], d] += v`: Python assigns what this gives to `y[at[n], d]`. An expression in a local name just grows."""
        return Accumulation(surface.Binary("+", expression_of(self), expression_of(value)))

    def __getitem__(self, items: Items) -> Handle:
        if not isinstance(self.node, surface.Name | surface.Apply):
            raise TypeCheckError("only a tensor, or the call of an operator, is indexed", hint="give the value a name first")
        return Handle(surface.Access(self.node, nodes(items)))

    def otherwise(self, fill: Operand) -> Handle:
        """`x[i - 1] else fill`: the value where the index lies outside."""
        if not isinstance(self.node, surface.Access):
            raise TypeCheckError("`otherwise` belongs to an access", hint="write x[i - 1].otherwise(0)")
        return Handle(surface.Access(self.node.tensor, self.node.index, expression_of(fill)))

    def __bool__(self) -> NoReturn:
        raise TypeCheckError(
            "an expression of an operator is neither true nor false while it is built",
            hint="write & | ~ for and, or, not, fn.select(condition, a, b) for a choice, and no chain such as a < b < c",
        )

    def __iter__(self) -> NoReturn:
        raise TypeCheckError(
            "an expression cannot be unpacked", hint="bind several results so: op[op.top[n, k], op.at[n, k]] = fn.topk[e](...)"
        )


class Accumulation(Handle):
    """What `y[...] += v` assigns."""

    __slots__ = ()

    @property
    def target(self) -> tuple[str, tuple[surface.Expr | surface.Pack, ...]] | None:
        """The tensor and the indices that are added to; None where it is no element of a tensor."""
        match self.node:
            case surface.Binary(left=surface.Access(tensor=surface.Name(id=name), index=index, fill=None)):
                return name, index
        return None

    @property
    def value(self) -> surface.Expr:
        """What is added."""
        assert isinstance(self.node, surface.Binary)
        return self.node.right


@dataclass(frozen=True, slots=True)
class Word:
    """A function, reduction, type or operator by its name: called, or first indexed by dims or binders."""

    name: str

    @property
    def acc(self) -> Word:
        """`acc(T)` of a type T: `T.acc[N, C]` declares a tensor in the accumulator's type."""
        return Word(accumulator_of(self.name))

    def __call__(self, *args: Operand, **keywords: Operand) -> Handle:
        named = tuple(surface.Keyword(name, expression_of(value)) for name, value in keywords.items())
        return Handle(surface.Apply(self.name, tuple(map(node_of, args)), named))

    def __getitem__(self, items: Items) -> Indexed:
        return Indexed(self.name, items if isinstance(items, tuple) else (items,))


@dataclass(frozen=True, slots=True)
class Indexed:
    """`T[N, C]`, a tensor's type and dims; or `sum[c, j <= i]`, a reduction that is called with its body."""

    name: str
    items: tuple[Operand, ...]

    def __call__(self, *args: Operand) -> Handle:
        return Handle(surface.Reduction(self.name, tuple(map(_binder, self.items)), tuple(map(expression_of, args))))

    def param(self, name: str) -> surface.Param:
        return surface.Param(name, self.name, nodes(self.items))


class Words:
    """`fn.<name>`: every function, reduction, type and operator, by its name in the language."""

    def __getattr__(self, name: str) -> Word:
        if name.startswith("__"):
            raise AttributeError(name)
        return Word(name)


fn = Words()


def nodes(items: Items) -> tuple[surface.Expr | surface.Pack, ...]:
    """The nodes of what stands in brackets; `()` for a tensor of no dims."""
    return tuple(map(node_of, items if isinstance(items, tuple) else (items,)))


def node_of(value: object) -> surface.Expr | surface.Pack:
    """The node of a handle or a Python number. Raises TypeCheckError for anything else."""
    match value:
        case Accumulation():
            raise TypeCheckError("`+=` adds to a tensor of the operator, not to a name of Python's", hint="write a = a + b")
        case Handle(node=node):
            return node
        case bool():
            return surface.Bool(value)
        case float() if math.isnan(value):
            raise TypeCheckError("nan is no literal of the language")
        case int() | float():
            negative = value < 0 or (value == 0 and math.copysign(1.0, value) < 0)
            return surface.Unary("neg", surface.Number(-value)) if negative else surface.Number(value)
    kind = type(value).__name__
    raise TypeCheckError(f"a {kind} cannot stand in an operator", hint="use numbers, names, tensors x[i, j], and fn.<function>")


def expression_of(value: object) -> surface.Expr:
    """The node of a value: as `node_of`, and no pack."""
    node = node_of(value)
    if isinstance(node, surface.Pack):
        raise TypeCheckError(f"the pack *{node.id} is no value", hint="it stands in brackets, in fn.count(S) and in fn.flat(s)")
    return node


def _binder(item: Operand) -> surface.Binder:
    match node_of(item):
        case surface.Name(id=name):
            return surface.Binder(name)
        case surface.Pack(id=name):
            return surface.Binder(name, pack=True)
        case surface.Binary(op=relation, left=surface.Name(id=name), right=bound):
            return surface.Binder(name, relation, bound)
    raise TypeCheckError("a reduction is over indices", hint="write fn.sum[c](...), fn.sum[j <= i](...) or fn.sum[r < K](...)")
