"""Signs of integer expressions of a text, by its `where` clause and the ranges of its indices: an inverse divides only by what
is known to be positive, and an extremum has a place only where its window holds an index."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from uol.ir.gradients.text.substitution import Item
from uol.ir.integers import polynomials
from uol.ir.integers.assumptions import Knowledge, at_least_zero
from uol.ir.integers.fourier_motzkin import Elimination
from uol.ir.integers.terms import COMPARISONS, Poly, compare
from uol.ir.program.nodes import Call, Const, Var
from uol.ir.program.nodes import Expr as Typed
from uol.ir.syntax.surface import Apply, Binary, Expr, Name, Node, Number, Pack, Unary
from uol.ir.types import INDEX

Ranges = tuple[tuple[str, Item | None], ...]
"""Indices with how far they run."""


class Signs:
    """What is known of an operator's dims and attributes, by its declared dims and its `where` clause. Proofs are by
    elimination alone: no solver is loaded."""

    def __init__(self, dims: Iterable[Item] = (), where: Iterable[Expr] = ()) -> None:
        known = [compare(">=", typed, Const(0)) for d in dims if (typed := _integer(d)) is not None]
        self._known = Knowledge((*known, *_conditions(where)))
        self._eliminations: dict[Ranges, Elimination] = {}
        self._memo: dict[tuple[Expr, Ranges], bool] = {}

    def hold(self, claims: Iterable[Expr], extents: Mapping[str, Item | None]) -> bool:
        """Whether all comparisons hold for all values of the indices, each below its extent where that is known."""
        ranges = tuple(sorted(extents.items()))
        return all(self._holds(c, ranges) for c in claims)

    def is_positive(self, expr: Expr, extents: Mapping[str, Item | None]) -> bool:
        """Whether an expression is above 0 for all that `where` admits, and all values of the indices."""
        if isinstance(expr, Number):
            return expr.value > 0
        return self.hold((Binary(">", expr, Number(0)),), extents)

    def _holds(self, claim: Expr, ranges: Ranges) -> bool:
        key = claim, ranges
        if key not in self._memo:
            self._memo[key] = self._decided(claim, ranges)
        return self._memo[key]

    def _decided(self, claim: Expr, ranges: Ranges) -> bool:
        condition = _condition(claim)
        if condition is None:
            return False
        decided = polynomials.decide(condition, self._known.ranges)
        if decided:
            return True
        elimination = self._within(ranges)
        poly = at_least_zero(condition, self._known.ranges)
        return poly is not None and (elimination.not_negative(poly) or _times_its_divisor(poly, elimination))

    def _within(self, ranges: Ranges) -> Elimination:
        if ranges not in self._eliminations:
            bounds: list[Expr] = []
            for name, extent in ranges:
                bounds.append(Binary(">=", Name(name), Number(0)))
                if extent is not None and not isinstance(extent, Pack):
                    bounds.append(Binary("<", Name(name), extent))
            self._eliminations[ranges] = Elimination(self._known.extended(_conditions(bounds)))
        return self._eliminations[ranges]


def _times_its_divisor(poly: Poly, elimination: Elimination) -> bool:
    """x/d - y/d + c >= 0 where (x - d + 1) - y + d*c + d - 1 >= 0: d * (x/d) lies between x - d + 1 and x."""
    quotients = [m[0] for m in poly if len(m) == 1 and isinstance(m[0], Call) and m[0].fn == "/"]
    divisors = {q.args[1] for q in quotients if isinstance(q, Call)}
    if len(divisors) != 1:
        return False
    divisor = polynomials.to_poly(divisors.pop(), {})
    above = polynomials.add(divisor, {(): -1})
    total = above
    for monomial, c in poly.items():
        match monomial:
            case (Call(fn="/", args=(x, _)),):
                least = polynomials.to_poly(x, {})
                if c >= 0:
                    least = polynomials.add(least, polynomials.scale(above, -1))
                total = polynomials.add(total, polynomials.scale(least, c))
            case _:
                total = polynomials.add(total, polynomials.multiply({monomial: c}, divisor))
    return elimination.not_negative(above) and elimination.not_negative(total)


def _conditions(exprs: Iterable[Expr]) -> list[Typed]:
    return [c for e in exprs if (c := _condition(e)) is not None]


def _condition(expr: Expr) -> Typed | None:
    if not isinstance(expr, Binary) or expr.op not in COMPARISONS:
        return None
    left, right = _integer(expr.left), _integer(expr.right)
    return None if left is None or right is None else compare(expr.op, left, right)


def _integer(node: Node) -> Typed | None:
    """An integer expression as the proofs read it; None for what they do not know."""
    match node:
        case Number(value=int(value)):
            return Const(value)
        case Name(id=name):
            return Var(name)
        case Apply(fn="count", args=(Pack(id=name),)):
            return Var(f"count(*{name})")
        case Unary(op="neg", arg=arg):
            inner = _integer(arg)
            return None if inner is None else Call("neg", (inner,), INDEX)
        case Binary(op="+" | "-" | "*" | "/" | "%" as op, left=left, right=right):
            a, b = _integer(left), _integer(right)
            return None if a is None or b is None else Call(op, (a, b), INDEX)
    return None
