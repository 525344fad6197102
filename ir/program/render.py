"""Typed expressions as text of the language, for messages and comments."""

from __future__ import annotations

import math

from uol.ir.program.nodes import Call, Const, Expr, Load, Reduce, Var
from uol.ir.syntax import surface
from uol.ir.syntax.printer import print_expr

_BINARY = ("+", "-", "*", "/", "%", "<", "<=", ">", ">=", "==", "!=", "and", "or")


def show(expr: Expr) -> str:
    """One line of text."""
    return print_expr(_surface(expr))


def _surface(expr: Expr) -> surface.Expr:
    match expr:
        case Const(value=bool() as value):
            return surface.Bool(value)
        case Const(value=value):
            return _number(value)
        case Var(name=name):
            return surface.Name(name)
        case Call(fn="cast", args=(value,), dtype="idx"):
            return _surface(value)
        case Call(fn="cast", args=(value,), dtype=dtype):
            return surface.Apply(dtype, (_surface(value),))
        case Call(fn="neg", args=(a,)):
            return surface.Unary("neg", _surface(a))
        case Call(fn="not", args=(a,)):
            return surface.Unary("not", _surface(a))
        case Call(fn=fn, args=(a, b)) if fn in _BINARY:
            return surface.Binary(fn, _surface(a), _surface(b))
        case Call(fn=fn, args=args):
            return surface.Apply(fn, tuple(map(_surface, args)))
        case Load(tensor=tensor, index=index, fill=fill):
            return surface.Access(surface.Name(tensor), tuple(map(_surface, index)), None if fill is None else _surface(fill))
        case Reduce(op=op, axes=axes, body=body):
            return surface.Reduction(op, tuple(surface.Binder(a.name) for a in axes), (_surface(body),))
    return surface.Name(type(expr).__name__)


def _number(value: int | float) -> surface.Expr:
    if math.isnan(value):
        return surface.Name("nan")
    return surface.Unary("neg", surface.Number(-value)) if value < 0 else surface.Number(value)
