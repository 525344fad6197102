"""Conditions on integer values as conditions on unbounded integers, so that the proofs can use them.

A value that is read, widened or compared is the same number in either; arithmetic in a type may wrap and is left out.
"""

from __future__ import annotations

from dataclasses import replace

from uol.ir.integers.terms import COMPARISONS
from uol.ir.program.nodes import Call, Const, Expr, Load
from uol.ir.types import DTYPES, INDEX, integer_range, is_integer


def lifted(condition: Expr) -> Expr:
    """The condition, with comparisons of integer values made comparisons of type idx where that says the same."""
    match condition:
        case Call(fn="and" | "or" | "not", args=args):
            return replace(condition, args=tuple(map(lifted, args)))
        case Call(fn=fn, args=(a, b)) if fn in COMPARISONS and is_integer(a.type) and is_integer(b.type):
            left, right = _integer(a), _integer(b)
            return condition if left is None or right is None else replace(condition, args=(left, right))
    return condition


def _integer(expr: Expr) -> Expr | None:
    match expr:
        case Const(value=value):
            return Const(int(value))
        case Load():
            return Call("cast", (expr,), INDEX)
        case Call(fn="cast", args=(a,), dtype=dtype) if is_integer(a.type) and _holds_all(dtype, a.type):
            return _integer(a)
    return expr if expr.type == INDEX else None


def _holds_all(dtype: str, source: str) -> bool:
    """Whether every value of `source` is one of `dtype`. An index is far from the end of i64."""
    if source == INDEX:
        return dtype in (INDEX, "i64")
    if dtype == INDEX:
        return True
    low, high = integer_range(source)
    least, greatest = integer_range(dtype)
    return DTYPES[dtype].kind != "bool" and least <= low and high <= greatest
