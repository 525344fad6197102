"""The value of a dim, an attribute's default or a `where` clause, with every name known.

This is arithmetic on integers (or on symbolic ones that behave like them, as PyTorch's), never on tensors: what
`out_h = (H + 2*pad - R) / stride + 1` or `where C == D*groups` come to at a call. `/` and `%` floor.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from uol.ir.errors import ShapeError
from uol.ir.integers.terms import ON_NUMBERS
from uol.ir.syntax.surface import Apply, Binary, Bool, Expr, Name, Node, Number, Pack, Unary, operands

Value = int | float | bool

PROMISES = frozenset({"sorted", "finite", "permutation"})
"""`where` clauses about a tensor's data: a promise of the caller, checked in checked mode, not here."""


def value_of(expr: Expr, names: Mapping[str, Value], packs: Mapping[str, tuple[int, ...]], text: str | None) -> Value:
    """The value of `expr`. Raises ShapeError, at its place in `text`, where it has none."""

    def go(e: Expr) -> Value:
        return value_of(e, names, packs, text)

    match expr:
        case Number(value=number) | Bool(value=number):
            return number
        case Name(id=name) if name in names or name == "inf":
            return names.get(name, math.inf)
        case Unary(op=op, arg=arg):
            return -go(arg) if op == "neg" else not go(arg)
        case Binary(op="and" | "or" as op, left=left, right=right):
            return (go(left) and go(right)) if op == "and" else (go(left) or go(right))
        case Binary(op="/" | "%" as op, left=left, right=right):
            return _divide(op, go(left), go(right), expr, text)
        case Binary(op=op, left=left, right=right):
            return ON_NUMBERS[op](go(left), go(right))
        case Apply():
            return _apply(expr, go, packs, text)
    raise _unknown(expr, text)


def names_of(node: Node) -> tuple[str, ...]:
    """The names in an expression, in order, each once."""
    found = (node.id,) if isinstance(node, Name) else tuple(n for child in operands(node) for n in names_of(child))
    return tuple(dict.fromkeys(found))


def _apply(expr: Apply, go: Callable[[Expr], Value], packs: Mapping[str, tuple[int, ...]], text: str | None) -> Value:
    match expr:
        case Apply(fn="count", args=(Pack(id=pack),)) if pack in packs:
            return math.prod(packs[pack])
        case Apply(fn="min" | "max" as fn, args=args):
            values = [go(a) for a in args if not isinstance(a, Pack)]
            return min(values) if fn == "min" else max(values)
        case Apply(fn=fn) if fn in PROMISES:
            return True
    raise _unknown(expr, text)


def _unknown(expr: Expr, text: str | None) -> ShapeError:
    return ShapeError("the value of this is not known before the call", span=expr.span, text=text)


def _divide(op: str, a: Value, b: Value, at: Expr, text: str | None) -> Value:
    if b == 0:
        raise ShapeError("division by zero", span=at.span, text=text)
    if isinstance(a, float) or isinstance(b, float):
        return a / b
    return a // b if op == "/" else a % b
