"""Integer expressions of dims and indices, folded where their parts are numbers."""

from __future__ import annotations

from uol.ir.syntax import Binary, Expr, Number, Unary


def plus(a: Expr, b: Expr) -> Expr:
    match a, b:
        case Number(value=x), Number(value=y):
            return _number(x + y)
        case Number(value=0), _:
            return b
        case _, Number(value=0):
            return a
        case _, Unary(op="neg", arg=arg):
            return Binary("-", a, arg)
    return Binary("+", a, b)


def minus(a: Expr, b: Expr) -> Expr:
    match a, b:
        case Number(value=x), Number(value=y):
            return _number(x - y)
        case Number(value=0), _:
            return Unary("neg", b)
        case _, Number(value=0):
            return a
    return Binary("-", a, b)


def times(a: Expr, b: Expr) -> Expr:
    match a, b:
        case Number(value=x), Number(value=y):
            return _number(x * y)
        case Number(value=1), _:
            return b
        case _, Number(value=1):
            return a
    return Binary("*", a, b)


def quotient(a: Expr, b: Expr) -> Expr:
    match a, b:
        case Number(value=int(x)), Number(value=int(y)):
            return _number(x // y)
        case _, Number(value=1):
            return a
    return Binary("/", a, b)


def remainder(a: Expr, b: Expr) -> Expr:
    match a, b:
        case Number(value=int(x)), Number(value=int(y)):
            return _number(x % y)
        case _, Number(value=1):
            return Number(0)
    return Binary("%", a, b)


def _number(value: int | float) -> Expr:
    return Number(value) if value >= 0 else Unary("neg", Number(-value))
