"""Walking and rewriting the expressions of a program."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from uol.ir.program.nodes import Axis, Call, Expr, Load, Order, Reduce, Var


def children(expr: Expr) -> tuple[Expr, ...]:
    """The direct operands of a node, guards and fills included."""
    match expr:
        case Call(args=args):
            return args
        case Load(index=index, guard=guard, fill=fill):
            return index + guard + ((fill,) if fill is not None else ())
        case Reduce(body=body, where=where):
            return (body, *where)
        case Order(body=body, place=place):
            return (body, place)
    return ()


def walk(expr: Expr) -> Iterator[Expr]:
    """The node and everything below it, parents first."""
    pending = [expr]
    while pending:
        found = pending.pop()
        yield found
        pending.extend(reversed(children(found)))


def variables(expr: Expr) -> frozenset[str]:
    """The names of all variables in an expression."""
    return frozenset(e.name for e in walk(expr) if isinstance(e, Var))


def bound(expr: Expr) -> frozenset[str]:
    """The names of the axes that reductions and sorts within an expression bind."""
    return frozenset(a.name for e in walk(expr) for a in axes_of(e))


def axes_of(expr: Expr) -> tuple[Axis, ...]:
    """The axes that a node itself binds."""
    match expr:
        case Reduce(axes=axes):
            return axes
        case Order(axis=axis):
            return (axis,)
    return ()


def substitute(expr: Expr, values: Mapping[str, Expr]) -> Expr:
    """The expression with variables exchanged by name."""
    match expr:
        case Var(name=name):
            return values.get(name, expr)
        case Call(args=args):
            return replace(expr, args=tuple(substitute(a, values) for a in args))
        case Load(index=index, guard=guard, fill=fill):
            return replace(
                expr,
                index=tuple(substitute(i, values) for i in index),
                guard=tuple(substitute(g, values) for g in guard),
                fill=None if fill is None else substitute(fill, values),
            )
        case Reduce(axes=axes, body=body, where=where):
            return replace(
                expr,
                axes=tuple(Axis(a.name, substitute(a.extent, values)) for a in axes),
                body=substitute(body, values),
                where=tuple(substitute(w, values) for w in where),
            )
        case Order(axis=axis, body=body, place=place):
            at = substitute(place, values)
            assert isinstance(at, Var), "the place of an order is an index of its stage"
            axis = Axis(axis.name, substitute(axis.extent, values))
            return replace(expr, axis=axis, body=substitute(body, values), place=at)
    return expr
