"""Conditions on integers: decided by intervals, negated, simplified."""

from __future__ import annotations

from dataclasses import replace

from uol.ir.integers import polynomials
from uol.ir.integers.intervals import Interval
from uol.ir.integers.terms import COMPARISONS, Poly, Ranges
from uol.ir.program.nodes import Call, Const, Expr, Var
from uol.ir.types import INDEX

_OPPOSITE = {"<": ">=", "<=": ">", ">": "<=", ">=": "<", "==": "!=", "!=": "=="}


def decide(condition: Expr, ranges: Ranges) -> bool | None:
    """True or False where the condition has that value all over the ranges; None where intervals do not tell."""
    match condition:
        case Const(value=value):
            return bool(value)
        case Call(fn="not", args=(a,)):
            inner = decide(a, ranges)
            return None if inner is None else not inner
        case Call(fn="and", args=(a, b)):
            left, right = decide(a, ranges), decide(b, ranges)
            return False if left is False or right is False else (True if left and right else None)
        case Call(fn="or", args=(a, b)):
            left, right = decide(a, ranges), decide(b, ranges)
            return True if left or right else (False if left is False and right is False else None)
        case Call(fn=fn, args=(a, b)) if fn in COMPARISONS and a.type == b.type == INDEX:
            return _decide_comparison(fn, polynomials.interval(polynomials.difference(a, b, ranges), ranges))
    return None


def at_least_zero(condition: Expr, ranges: Ranges) -> Poly | None:
    """For an inequality between integers: the polynomial that it says is >= 0."""
    match condition:
        case Call(fn=">=", args=(a, b)) if a.type == b.type == INDEX:
            return polynomials.difference(a, b, ranges)
        case Call(fn="<=", args=(a, b)) if a.type == b.type == INDEX:
            return polynomials.difference(b, a, ranges)
        case Call(fn=">", args=(a, b)) if a.type == b.type == INDEX:
            return polynomials.add(polynomials.difference(a, b, ranges), {(): -1})
        case Call(fn="<", args=(a, b)) if a.type == b.type == INDEX:
            return polynomials.add(polynomials.difference(b, a, ranges), {(): -1})
    return None


def attained(poly: Poly, ranges: Ranges) -> bool:
    """Whether the polynomial takes the least value of its interval: bounded variables, each in one place."""
    seen: set[str] = set()
    return all(len(m) <= 1 and all(_attains(a, ranges, seen) for a in m) for m in poly)


def _attains(atom: Expr, ranges: Ranges, seen: set[str]) -> bool:
    """Whether an atom takes both ends of its interval, independently of the variables seen so far."""
    match atom:
        case Var(name=name):
            fresh = name in ranges and ranges[name].bounded and name not in seen
            seen.add(name)
            return fresh
        case Call(fn="/", args=(a, Const(value=divisor))) if divisor > 0:
            parts = polynomials.to_poly(a, ranges)
            return all(len(m) <= 1 and all(_attains(inner, ranges, seen) for inner in m) for m in parts)
    return False


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


def _decide_comparison(fn: str, gap: Interval) -> bool | None:
    low, high = gap.low, gap.high
    match fn:
        case "<" | ">=":
            below = True if high is not None and high < 0 else (False if low is not None and low >= 0 else None)
            return below if fn == "<" or below is None else not below
        case "<=" | ">":
            within = True if high is not None and high <= 0 else (False if low is not None and low > 0 else None)
            return within if fn == "<=" or within is None else not within
    apart = (low is not None and low > 0) or (high is not None and high < 0)
    equal = False if apart else (True if low == high == 0 else None)
    return equal if fn == "==" or equal is None else not equal


def simplify(condition: Expr, ranges: Ranges) -> Expr:
    """The condition decided, or with its parts simplified."""
    known = decide(condition, ranges)
    if known is not None:
        return Const(known, "bool")
    match condition:
        case Call(fn="and" | "or" as fn, args=(a, b)):
            left, right = simplify(a, ranges), simplify(b, ranges)
            neutral = Const(fn == "and", "bool")
            return right if left == neutral else (left if right == neutral else replace(condition, args=(left, right)))
        case Call(fn="not", args=(a,)):
            return negate(simplify(a, ranges))
        case Call(fn=fn, args=(a, b)) if fn in COMPARISONS and a.type == b.type == INDEX:
            return replace(condition, args=(polynomials.simplify(a, ranges), polynomials.simplify(b, ranges)))
    return condition
