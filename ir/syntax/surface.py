"""The surface tree: an operator as it was written, untyped. `parse` makes it, `print_op` prints it.

Every node has the `span` that it came from; spans do not take part in comparisons, so that a printed and parsed
operator equals the one that was printed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias

from uol.ir.syntax.span import Span
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


ORDERS = ("topk", "sort", "argsort")
"""Reductions that stand alone, as the value of a statement whose targets have an index for the place in the order."""

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
    def mixed_variables(self) -> tuple[str, ...]:
        """The type variables that stand for floats and for other types."""
        return tuple(t.variable for t in self.domain if len(set(map(is_float, t.types))) == 2)

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


def bounded_by(node: Reduction, index: Expr | Pack) -> Iterator[Binder]:
    """The indices of a reduction that another one bounds by itself: `j` of `sum[j <= i]` by `i`."""
    return (b for b in node.binders if b.bound == index and b.relation in ("<", "<=", ">", ">="))


def conjuncts(clause: Expr) -> Iterator[Expr]:
    """`a and b` as two conditions, and so on; anything else as it is."""
    if isinstance(clause, Binary) and clause.op == "and":
        yield from conjuncts(clause.left)
        yield from conjuncts(clause.right)
    else:
        yield clause


def operands(node: Node) -> tuple[Node, ...]:
    """The direct sub-nodes of an expression, binders and keywords left out but their expressions kept."""
    parts = _OPERANDS.get(type(node))
    return () if parts is None else parts(node)


def _of_access(node: Access) -> tuple[Node, ...]:
    base = (node.tensor,) if isinstance(node.tensor, Apply) else ()
    return (*base, *node.index) if node.fill is None else (*base, *node.index, node.fill)


_OPERANDS: dict[type[Node], Callable[[Any], tuple[Node, ...]]] = {
    Unary: lambda n: (n.arg,),
    Binary: lambda n: (n.left, n.right),
    Apply: lambda n: (*n.args, *(k.value for k in n.keywords)) if n.keywords else n.args,
    Access: _of_access,
    Reduction: lambda n: (*(b.bound for b in n.binders if b.bound is not None), *n.args),
}


def exchange(expr: Expr, rule: Exchange) -> Expr:
    """The expression with every node for which `rule` gives another one exchanged, outermost first; what has none in it stays
    the same object."""
    found = rule(expr)
    if found is not None:
        return found
    match expr:
        case Unary(arg=arg):
            inner = exchange(arg, rule)
            return expr if inner is arg else replace(expr, arg=inner)
        case Binary(left=left, right=right):
            a, b = exchange(left, rule), exchange(right, rule)
            return expr if a is left and b is right else replace(expr, left=a, right=b)
        case Apply(args=args, keywords=keywords):
            moved = _each(args, rule)
            given = tuple(replace(k, value=exchange(k.value, rule)) for k in keywords)
            return expr if moved is args and not keywords else replace(expr, args=moved, keywords=given)
        case Access(index=index, fill=fill):
            items = _each(index, rule)
            outside = None if fill is None else exchange(fill, rule)
            return expr if items is index and outside is fill else replace(expr, index=items, fill=outside)
        case Reduction(binders=binders, args=args):
            bounds = tuple(replace(b, bound=None if b.bound is None else exchange(b.bound, rule)) for b in binders)
            return replace(expr, binders=bounds, args=tuple(exchange(a, rule) for a in args))
    return expr


def _each(items: tuple[Expr | Pack, ...], rule: Exchange) -> tuple[Expr | Pack, ...]:
    """The items exchanged; the same tuple where none is."""
    moved = tuple(i if isinstance(i, Pack) else exchange(i, rule) for i in items)
    return items if all(a is b for a, b in zip(moved, items, strict=True)) else moved
