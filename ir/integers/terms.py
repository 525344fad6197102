"""The words of integer reasoning: how conditions and index expressions are written, and what a polynomial is."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import replace

from uol.ir.integers.intervals import Interval
from uol.ir.program.nodes import Axis, Call, Const, Expr, Var
from uol.ir.types import INDEX

Monomial = tuple[Expr, ...]
Poly = dict[Monomial, int]
Ranges = Mapping[str, Interval]

COMPARISONS = ("<", "<=", ">", ">=", "==", "!=")
_OPPOSITE = {"<": ">=", "<=": ">", ">": "<=", ">=": "<", "==": "!=", "!=": "=="}
ZERO = Const(0)
ONE = Const(1)

ON_NUMBERS: Mapping[str, Callable[..., int]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": lambda a, b: a // b if b else 0,
    "%": lambda a, b: a % b if b else 0,
    "neg": operator.neg,
    "abs": abs,
    "min": min,
    "max": max,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
    "and": lambda a, b: a and b,
    "or": lambda a, b: a or b,
    "not": operator.not_,
}
"""What an operation gives for numbers. Division floors, and gives 0 for a divisor of 0."""


def idx(fn: str, *args: Expr) -> Call:
    """An index expression, as it stands."""
    return Call(fn, args, INDEX)


def compare(fn: str, left: Expr, right: Expr) -> Call:
    """A condition, as it stands."""
    return Call(fn, (left, right), "bool")


def in_range(axis: Axis) -> tuple[Expr, Expr]:
    """0 <= axis < extent."""
    return compare(">=", Var(axis.name), ZERO), compare("<", Var(axis.name), axis.extent)


def negate(condition: Expr) -> Expr:
    """The opposite of a condition; of a comparison between integers, the comparison that holds where it does not."""
    match condition:
        case Const(value=value):
            return Const(not value, "bool")
        case Call(fn="not", args=(a,)):
            return a
        case Call(fn="or", args=(a, b)):
            return Call("and", (negate(a), negate(b)), "bool")
        case Call(fn=fn, args=(a, b)) if fn in COMPARISONS and a.type == b.type == INDEX:
            return replace(condition, fn=_OPPOSITE[fn])
    return Call("not", (condition,), "bool")
