"""Integer expressions over indices and dims as polynomials, the constant intervals that they lie in, and the conditions that
these decide: one normal form for both, since a `select` holds conditions and a condition holds integers.

A polynomial maps monomials (sorted tuples of atoms) to integer coefficients; an atom is a variable or whatever has no
polynomial form (a quotient, a remainder, a minimum, a value read from memory). This is all that constant shapes need;
what it cannot decide goes to `uol.ir.integers.facts`.
"""

from __future__ import annotations

from dataclasses import replace
from math import gcd

from uol.ir.integers.intervals import EVERYTHING, Interval
from uol.ir.integers.terms import COMPARISONS, Monomial, Poly, Ranges, idx, negate
from uol.ir.program.nodes import Call, Const, Expr, Load, Var
from uol.ir.types import DTYPES, INDEX


def simplify(expr: Expr, ranges: Ranges) -> Expr:
    """The expression in polynomial form, quotients and remainders resolved where the ranges of the variables say how; a
    condition decided, or with its parts in that form."""
    if expr.type == "bool":
        return _simplified_condition(expr, ranges)
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
            return _select(simplify(c, ranges), to_poly(a, ranges), to_poly(b, ranges))
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
            return _decide_comparison(fn, interval(difference(a, b, ranges), ranges))
    return None


def _simplified_condition(condition: Expr, ranges: Ranges) -> Expr:
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
            return replace(condition, args=(simplify(a, ranges), simplify(b, ranges)))
    return condition


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


def _term(monomial: Monomial, coefficient: int) -> Expr:
    out = monomial[0]
    for atom in monomial[1:]:
        out = idx("*", out, atom)
    return out if coefficient == 1 else idx("*", out, Const(coefficient))


def _order(atom: Expr) -> tuple[int, str]:
    return (0, atom.name) if isinstance(atom, Var) else (1, repr(atom))


def _divide(a: Poly, b: Poly, ranges: Ranges) -> tuple[Poly, Poly]:
    """Floored quotient and remainder. What the divisor divides evenly comes out first, then a rest in [0, divisor).

    A divisor of zero gives zero; symbolic divisors are proven positive before they get here.
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
