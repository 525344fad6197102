"""The surface tree: an operator as it was written, untyped. `parse` makes it, `print_op` prints it.

Every node has the `span` that it came from; spans do not take part in comparisons, so that a printed and parsed
operator equals the one that was printed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias

from uol.ir.span import Span
from uol.ir.types import base_type, is_float, resolved

NOWHERE = Span("<none>", 0, 0, 0, 0)
"""The span of a node that no text holds."""


@dataclass(frozen=True, slots=True)
class Node:
    """Base of all surface nodes."""

    span: Span = field(default=NOWHERE, compare=False, repr=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class Number(Node):
    """`3`, `1e-5`, `inf`. Never negative: `-3` is a Unary."""

    value: int | float


@dataclass(frozen=True, slots=True)
class Bool(Node):
    """`true` or `false`."""

    value: bool


@dataclass(frozen=True, slots=True)
class Name(Node):
    """A dim, an attribute, an index, or (as the base of an access, or an operator's argument) a tensor."""

    id: str


@dataclass(frozen=True, slots=True)
class Pack(Node):
    """`*S` or `*s`: any number of dims or indices."""

    id: str


@dataclass(frozen=True, slots=True)
class Unary(Node):
    """`-a`, `not a`."""

    op: Literal["neg", "not"]
    arg: Expr


@dataclass(frozen=True, slots=True)
class Binary(Node):
    """`a + b`; op is one of + - * / % < <= > >= == != and or."""

    op: str
    left: Expr
    right: Expr


@dataclass(frozen=True, slots=True)
class Keyword(Node):
    """`stride=2` in the call of an operator."""

    name: str
    value: Expr


@dataclass(frozen=True, slots=True)
class Apply(Node):
    """`f(args; keywords)`: a built-in function, a cast, or another operator."""

    fn: str
    args: tuple[Expr | Pack, ...]
    keywords: tuple[Keyword, ...] = ()


@dataclass(frozen=True, slots=True)
class Access(Node):
    """`x[index] else fill`; `tensor` is a tensor's name or the call of an operator."""

    tensor: Name | Apply
    index: tuple[Expr | Pack, ...]
    fill: Expr | None = None


@dataclass(frozen=True, slots=True)
class Binder(Node):
    """`c`, `r < K`, `j <= i`, or (with `pack`) `*s` in the brackets of a reduction."""

    name: str
    relation: str | None = None
    bound: Expr | None = None
    pack: bool = False


@dataclass(frozen=True, slots=True)
class Reduction(Node):
    """`op[binders](args)`; one argument, and a second one (K) for topk."""

    op: str
    binders: tuple[Binder, ...]
    args: tuple[Expr, ...]


Expr: TypeAlias = Number | Bool | Name | Unary | Binary | Apply | Access | Reduction
Exchange: TypeAlias = Callable[[Node], "Expr | None"]
"""What stands for a node; None for itself, its operands looked at."""


@dataclass(frozen=True, slots=True)
class Target(Node):
    """`y[n, c]` on the left of a statement."""

    tensor: str
    index: tuple[Expr | Pack, ...]


@dataclass(frozen=True, slots=True)
class Statement(Node):
    """`target = value`, `target += value`, or `(t1, t2) = value`."""

    targets: tuple[Target, ...]
    op: Literal["=", "+="]
    value: Expr


@dataclass(frozen=True, slots=True)
class Param(Node):
    """`x: T[N, C]`, an input or a result. `type` is a type, a variable, or `acc(T)`, the accumulator of either."""

    name: str
    type: str
    dims: tuple[Expr | Pack, ...]


@dataclass(frozen=True, slots=True)
class Attribute(Node):
    """`stride: int = 1`; `type` is int or float."""

    name: str
    type: str
    default: Expr | None = None


@dataclass(frozen=True, slots=True)
class TypeSet(Node):
    """`T in (f32, f16)`: a type variable and its closed set."""

    variable: str
    types: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Op(Node):
    """One operator. `source` is the whole text that it was parsed from, for error reports."""

    name: str
    params: tuple[Param, ...]
    attributes: tuple[Attribute, ...]
    results: tuple[Param, ...]
    domain: tuple[TypeSet, ...]
    where: tuple[Expr, ...]
    body: tuple[Statement, ...]
    source: str | None = field(default=None, compare=False, repr=False)

    def types_of(self, name: str) -> tuple[str, ...]:
        """The types that a type's name stands for: those of a variable's set, else one alone."""
        variable = base_type(name)
        admitted = next((t.types for t in self.domain if t.variable == variable), (variable,))
        return tuple(dict.fromkeys(resolved(name, {variable: t}) for t in admitted))

    @property
    def float_inputs(self) -> tuple[str, ...]:
        """The inputs whose type is a float, or a variable that can be one: those that may have a gradient."""
        return tuple(p.name for p in self.params if any(map(is_float, self.types_of(p.type))))

    def attribute(self, name: str) -> Attribute | None:
        """The attribute of that name."""
        return next((a for a in self.attributes if a.name == name), None)


def below(node: Node) -> Iterator[Node]:
    """The node and all its sub-nodes, parents first."""
    pending = [node]
    while pending:
        found = pending.pop()
        yield found
        pending.extend(reversed(operands(found)))


def operands(node: Node) -> tuple[Node, ...]:
    """The direct sub-nodes of an expression, binders and keywords left out but their expressions kept."""
    match node:
        case Unary(arg=arg):
            return (arg,)
        case Binary(left=left, right=right):
            return (left, right)
        case Apply(args=args, keywords=keywords):
            return (*args, *(k.value for k in keywords))
        case Access(tensor=tensor, index=index, fill=fill):
            base = (tensor,) if isinstance(tensor, Apply) else ()
            return (*base, *index, *((fill,) if fill is not None else ()))
        case Reduction(binders=binders, args=args):
            return (*(b.bound for b in binders if b.bound is not None), *args)
    return ()


def exchange(expr: Expr, rule: Exchange) -> Expr:
    """The expression with every node for which `rule` gives another one exchanged, outermost first."""
    found = rule(expr)
    if found is not None:
        return found
    match expr:
        case Unary(arg=arg):
            return replace(expr, arg=exchange(arg, rule))
        case Binary(left=left, right=right):
            return replace(expr, left=exchange(left, rule), right=exchange(right, rule))
        case Apply(args=args, keywords=keywords):
            moved = tuple(a if isinstance(a, Pack) else exchange(a, rule) for a in args)
            return replace(expr, args=moved, keywords=tuple(replace(k, value=exchange(k.value, rule)) for k in keywords))
        case Access(index=index, fill=fill):
            items = tuple(i if isinstance(i, Pack) else exchange(i, rule) for i in index)
            return replace(expr, index=items, fill=None if fill is None else exchange(fill, rule))
        case Reduction(binders=binders, args=args):
            bounds = tuple(replace(b, bound=None if b.bound is None else exchange(b.bound, rule)) for b in binders)
            return replace(expr, binders=bounds, args=tuple(exchange(a, rule) for a in args))
    return expr
