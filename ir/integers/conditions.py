"""Inequalities between integers as polynomials that are not negative."""

from __future__ import annotations

from uol.ir.integers import polynomials
from uol.ir.integers.terms import Poly, Ranges
from uol.ir.program.nodes import Call, Const, Expr, Var
from uol.ir.types import INDEX


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
