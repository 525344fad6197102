"""Integer expressions over indices and dims as polynomials, and the constant intervals that they lie in.

A polynomial maps monomials (sorted tuples of atoms) to integer coefficients; an atom is a variable or whatever has no
polynomial form (a quotient, a remainder, a minimum, a value read from memory). This is all that constant shapes need;
what it cannot decide goes to `uol.ir.integers.facts`.
"""

from __future__ import annotations

from math import gcd

from uol.ir.integers import conditions
from uol.ir.integers.intervals import EVERYTHING, Interval
from uol.ir.integers.terms import Monomial, Poly, Ranges, idx
from uol.ir.program.nodes import Call, Const, Expr, Load, Var
from uol.ir.types import DTYPES


def simplify(expr: Expr, ranges: Ranges) -> Expr:
    """The expression in polynomial form, quotients and remainders resolved where the ranges of the variables say how."""
    if expr.type == "bool":
        return conditions.simplify(expr, ranges)
    match expr:
        case Const() | Var():
            return expr
    return from_poly(to_poly(expr, ranges))


def to_poly(expr: Expr, ranges: Ranges) -> Poly:
    """The polynomial of an expression of type idx."""
    match expr:
        case Const(value=value):
            return {(): int(value)} if value else {}
        case Call(fn="+", args=(a, b)):
            return add(to_poly(a, ranges), to_poly(b, ranges))
        case Call(fn="-", args=(a, b)):
            return add(to_poly(a, ranges), scale(to_poly(b, ranges), -1))
        case Call(fn="neg", args=(a,)):
            return scale(to_poly(a, ranges), -1)
        case Call(fn="*", args=(a, b)):
            return multiply(to_poly(a, ranges), to_poly(b, ranges))
        case Call(fn="/", args=(a, b)):
            return _divide(to_poly(a, ranges), to_poly(b, ranges), ranges)[0]
        case Call(fn="%", args=(a, b)):
            return _divide(to_poly(a, ranges), to_poly(b, ranges), ranges)[1]
        case Call(fn="min" | "max" as fn, args=(a, b)):
            return _extremum(fn, to_poly(a, ranges), to_poly(b, ranges), ranges)
        case Call(fn="abs", args=(a,)):
            poly = to_poly(a, ranges)
            return _extremum("max", poly, scale(poly, -1), ranges)
        case Call(fn="select", args=(c, a, b)):
            return _select(conditions.simplify(c, ranges), to_poly(a, ranges), to_poly(b, ranges))
    return {(expr,): 1}


def from_poly(poly: Poly) -> Expr:
    """The expression of a polynomial: positive terms first, the constant last (or first, where all else is negative)."""
    constant = poly.get((), 0)
    terms = [(m, c) for m, c in poly.items() if m]
    positive = [_term(m, c) for m, c in terms if c > 0]
    negative = [_term(m, -c) for m, c in terms if c < 0]
    if constant > 0:
        positive.append(Const(constant))
    elif constant < 0:
        negative.append(Const(-constant))
    if not positive:
        if not terms:
            return Const(constant)
        positive = [idx("neg", negative.pop(0))]
    out = positive[0]
    for term in positive[1:]:
        out = idx("+", out, term)
    for term in negative:
        out = idx("-", out, term)
    return out


def add(a: Poly, b: Poly) -> Poly:
    """The sum of two polynomials."""
    out = dict(a)
    for monomial, coefficient in b.items():
        total = out.get(monomial, 0) + coefficient
        if total:
            out[monomial] = total
        else:
            out.pop(monomial, None)
    return out


def scale(a: Poly, factor: int) -> Poly:
    """A polynomial times a constant."""
    return {m: c * factor for m, c in a.items()} if factor else {}


def multiply(a: Poly, b: Poly) -> Poly:
    """The product of two polynomials."""
    out: Poly = {}
    for m, c in a.items():
        for n, d in b.items():
            out = add(out, {tuple(sorted(m + n, key=_order)): c * d})
    return out


def interval(poly: Poly, ranges: Ranges) -> Interval:
    """Bounds of a polynomial's value; exact where every variable stands in one term only."""
    out = Interval(0, 0)
    for monomial, coefficient in poly.items():
        term = Interval(coefficient, coefficient)
        for atom in monomial:
            term = term * atom_interval(atom, ranges)
        out = out + term
    return out


def atom_interval(atom: Expr, ranges: Ranges) -> Interval:
    """Bounds of one atom."""
    match atom:
        case Var(name=name):
            return ranges.get(name, EVERYTHING)
        case Const(value=value):
            return Interval(int(value), int(value))
        case Call(fn="/" | "%" | "min" | "max" as fn, args=(a, b)):
            left, right = (interval(to_poly(x, ranges), ranges) for x in (a, b))
            match fn:
                case "/":
                    return left.floor_divide(right)
                case "%":
                    return left.modulo(right)
                case "min":
                    return left.minimum(right)
            return left.maximum(right)
        case Call(fn="select", args=(_, a, b)):
            left, right = (interval(to_poly(x, ranges), ranges) for x in (a, b))
            return left.union(right)
        case Call(fn="cast", args=(value,)):
            return atom_interval(value, ranges)
        case Load(dtype=dtype) if dtype in DTYPES and DTYPES[dtype].kind in ("int", "uint"):
            info = DTYPES[dtype]
            return (
                Interval(0, 2**info.bits - 1)
                if info.kind == "uint"
                else Interval(-(2 ** (info.bits - 1)), 2 ** (info.bits - 1) - 1)
            )
    return EVERYTHING


def difference(a: Expr, b: Expr, ranges: Ranges) -> Poly:
    """The polynomial of `a - b`."""
    return add(to_poly(a, ranges), scale(to_poly(b, ranges), -1))


def _term(monomial: Monomial, coefficient: int) -> Expr:
    out = monomial[0]
    for atom in monomial[1:]:
        out = idx("*", out, atom)
    return out if coefficient == 1 else idx("*", out, Const(coefficient))


def _order(atom: Expr) -> tuple[int, str]:
    return (0, atom.name) if isinstance(atom, Var) else (1, repr(atom))


def _divide(a: Poly, b: Poly, ranges: Ranges) -> tuple[Poly, Poly]:
    """Floored quotient and remainder. What the divisor divides evenly comes out first, then a rest in [0, divisor).

    A divisor of zero gives zero (rule 5 of the language); symbolic divisors are proven positive before they get here.
    """
    if not b:
        return {}, {}
    if set(b) == {()}:
        return _divide_by_constant(a, b[()], ranges)
    quotient: Poly = {}
    rest = a
    if len(b) == 1:
        ((divisor, factor),) = b.items()
        for monomial, coefficient in a.items():
            left = without(monomial, divisor)
            if left is not None and coefficient % factor == 0:
                quotient = add(quotient, {left: coefficient // factor})
        rest = add(a, scale(multiply(quotient, b), -1))
    elif a == b:
        quotient, rest = {(): 1}, {}
    if not rest:
        return quotient, {}
    parts = from_poly(rest), from_poly(b)
    return add(quotient, {(idx("/", *parts),): 1}), {(idx("%", *parts),): 1}


def _divide_by_constant(a: Poly, c: int, ranges: Ranges) -> tuple[Poly, Poly]:
    if c < 0:
        quotient, rest = _divide_by_constant(scale(a, -1), -c, ranges)
        return quotient, scale(rest, -1)
    quotient = {m: k // c for m, k in a.items() if k // c and (k % c == 0 or not m)}
    rest = {m: k % c if not m else k for m, k in a.items() if k % c}
    bounds = interval(rest, ranges)
    if bounds.low is not None and bounds.high is not None and bounds.low // c == bounds.high // c:
        whole = bounds.low // c  # the rest lies between two multiples of c
        shift: Poly = {(): whole} if whole else {}
        return add(quotient, shift), add(rest, scale(shift, -c))
    common = gcd(c, *(k for m, k in rest.items() if m))
    inner = {m: k // common for m, k in rest.items() if k // common}
    low_part = rest.get((), 0) % common
    parts = from_poly(inner), Const(c // common)
    remainder: Poly = {(idx("%", *parts),): common}
    return add(quotient, {(idx("/", *parts),): 1}), add(remainder, {(): low_part} if low_part else {})


def without(monomial: Monomial, divisor: Monomial) -> Monomial | None:
    """The monomial divided by another; None where that does not divide it."""
    left = list(monomial)
    for atom in divisor:
        if atom not in left:
            return None
        left.remove(atom)
    return tuple(left)


def _extremum(fn: str, a: Poly, b: Poly, ranges: Ranges) -> Poly:
    gap = interval(add(a, scale(b, -1)), ranges)
    if gap.high is not None and gap.high <= 0:
        return a if fn == "min" else b
    if gap.low is not None and gap.low >= 0:
        return b if fn == "min" else a
    return {(idx(fn, from_poly(a), from_poly(b)),): 1}


def _select(condition: Expr, a: Poly, b: Poly) -> Poly:
    if isinstance(condition, Const):
        return a if condition.value else b
    return a if a == b else {(idx("select", condition, from_poly(a), from_poly(b)),): 1}
