"""Typed expressions as text of the language, for messages and comments."""

from __future__ import annotations

import math

from uol.ir import syntax
from uol.ir.nodes import Call, Const, Expr, Load, Reduce, Var
from uol.ir.printer import print_expr

_BINARY = ("+", "-", "*", "/", "%", "<", "<=", ">", ">=", "==", "!=", "and", "or")


def show(expr: Expr) -> str:
    """One line of text."""
    return print_expr(_surface(expr))


def _surface(expr: Expr) -> syntax.Expr:
    match expr:
        case Const(value=bool() as value):
            return syntax.Bool(value)
        case Const(value=value):
            return _number(value)
        case Var(name=name):
            return syntax.Name(name)
        case Call(fn="cast", args=(value,), dtype="idx"):
            return _surface(value)
        case Call(fn="cast", args=(value,), dtype=dtype):
            return syntax.Apply(dtype, (_surface(value),))
        case Call(fn="neg", args=(a,)):
            return syntax.Unary("neg", _surface(a))
        case Call(fn="not", args=(a,)):
            return syntax.Unary("not", _surface(a))
        case Call(fn=fn, args=(a, b)) if fn in _BINARY:
            return syntax.Binary(fn, _surface(a), _surface(b))
        case Call(fn=fn, args=args):
            return syntax.Apply(fn, tuple(map(_surface, args)))
        case Load(tensor=tensor, index=index, fill=fill):
            return syntax.Access(syntax.Name(tensor), tuple(map(_surface, index)), None if fill is None else _surface(fill))
        case Reduce(op=op, axes=axes, body=body):
            return syntax.Reduction(op, tuple(syntax.Binder(a.name) for a in axes), (_surface(body),))
    return syntax.Name(type(expr).__name__)


def _number(value: int | float) -> syntax.Expr:
    if math.isnan(value):
        return syntax.Name("nan")
    return syntax.Unary("neg", syntax.Number(-value)) if value < 0 else syntax.Number(value)
