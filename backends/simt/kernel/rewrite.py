"""Rewrites of statements: other expressions in place of variables."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields

from uol.backends.simt.c_text.address import By, Flipped, Total, flipped, quotient, remainder, scaled, total
from uol.backends.simt.c_text.terms import Local
from uol.backends.simt.kernel.nodes import Body, Statement
from uol.ir.program.nodes import Expr


def substituted(body: Body, values: Mapping[str, Expr]) -> Body:
    """The statements with values in place of variables; sums, multiples and quotients of numbers are folded."""
    return mapped(body, lambda expr: with_values(expr, values))


def mapped(body: Body, go: Callable[[Expr], Expr]) -> Body:
    """The statements, of each expression what `go` makes of it."""
    return tuple(_statement(statement, go) for statement in body)


def _statement(statement: Statement, go: Callable[[Expr], Expr]) -> Statement:
    changed: dict[str, object] = {}
    for each in fields(statement):
        value = getattr(statement, each.name)
        if isinstance(value, Expr):
            changed[each.name] = go(value)
        elif each.name in ("body", "otherwise"):
            changed[each.name] = mapped(value, go)
    kind: Callable[..., Statement] = type(statement)
    return kind(**{each.name: changed.get(each.name, getattr(statement, each.name)) for each in fields(statement)})


def with_values(expr: Expr, values: Mapping[str, Expr]) -> Expr:
    """An expression with values in place of variables."""
    match expr:
        case Local(name=name):
            return values.get(name, expr)
        case Total(terms=terms):
            return total(*(with_values(term, values) for term in terms))
        case Flipped(terms=terms):
            return flipped(*(with_values(term, values) for term in terms))
        case By(how=how, of=of, number=number):
            return {"*": scaled, "/": quotient, "%": remainder}[how](with_values(of, values), number)
    return expr.map_children(lambda child: with_values(child, values))
