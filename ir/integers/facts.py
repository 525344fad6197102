"""What is known about integers, and what follows from it.

Constant shapes are decided by intervals (`polynomials`), affine accesses by eliminating their indices (`fourier_motzkin`),
everything else by TVM's analyzer: `sym.Analyzer`, with Z3 at `ProofStrength.SYMBOLIC_BOUND`. `analyzer` wraps it; TVM is
imported when such a question comes up, and by no other module of the language.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import lru_cache

from uol.ir.integers import polynomials
from uol.ir.integers.assumptions import Knowledge, at_least_zero, attained, is_integral
from uol.ir.integers.counterexample import refuted
from uol.ir.integers.fourier_motzkin import Bounds, Elimination
from uol.ir.integers.intervals import Interval
from uol.ir.integers.terms import ONE, ZERO, Poly, Ranges, compare, idx
from uol.ir.program.nodes import Call, Const, Expr
from uol.ir.program.walk import variables, walk
from uol.ir.without_torch import import_tvm

ANSWERS = 1024
"""Simplified expressions that are remembered: the analyzer takes milliseconds, and operators ask the same of their windows."""


class Facts:
    """Assumptions about indices, dims and attributes; proves conditions and simplifies expressions under them.

    >>> from uol.ir.program.nodes import Const, Var
    >>> i = Var("i")
    >>> facts = Facts((Call(">=", (i, Const(0)), "bool"), Call("<", (i, Const(8)), "bool")))
    >>> facts.prove(Call("<", (Call("/", (i, Const(2)), "idx"), Const(4)), "bool"))
    True
    """

    def __init__(self, assumptions: Iterable[Expr] = ()) -> None:
        self._known = Knowledge(assumptions)
        self._elimination: Elimination | None = None
        self._memo: dict[tuple[Expr, tuple[Expr, ...]], bool] = {}

    @contextmanager
    def scope(self, *conditions: Expr) -> Iterator[Facts]:
        """Within the `with` block the conditions hold as well. Conditions that speak of more than integers are ignored."""
        saved = self._known, self._elimination
        self._known, self._elimination = self._known.extended(conditions), None
        try:
            yield self
        finally:
            self._known, self._elimination = saved

    @property
    def ranges(self) -> Ranges:
        """Constant bounds of the variables."""
        return self._known.ranges

    def prove(self, condition: Expr) -> bool:
        """Whether the condition follows for all values of its variables. False means: not proven."""
        if self._known.contradiction:
            return True
        known = polynomials.decide(condition, self._known.ranges)
        if known is not None:  # where the ranges forbid a relation, nothing is ever evaluated, and everything follows
            return known or any(polynomials.decide(r, self._known.ranges) is False for r in self._known.relations)
        condition = polynomials.simplify(condition, self._known.ranges)
        if condition in self._known.conditions:
            return True
        if not is_integral(condition) or self._refuted(condition):
            return False
        key = (condition, self._known.conditions)
        if key not in self._memo:
            self._memo[key] = self._eliminated(condition) or (
                not refuted(condition, self._known) and _analyzer_proves(condition, self._known)
            )
        return self._memo[key]

    def simplify(self, expr: Expr) -> Expr:
        """An equal expression (dtype idx or bool), in a readable form."""
        expr = polynomials.simplify(expr, self._known.ranges)
        if not is_integral(expr) or self._is_plain(expr):
            return expr
        expr = polynomials.simplify(self._without_small_quotients(expr), self._known.ranges)
        try:
            return polynomials.simplify(_analyzer_simplifies(expr, self._known.conditions), self._known.ranges)
        except OverflowError:
            return expr

    def interval(self, expr: Expr) -> Interval:
        """Constant bounds of an expression of dtype idx; an end that is not known is None."""
        return polynomials.interval(polynomials.to_poly(expr, self._known.ranges), self._known.ranges)

    def bound_above(self, expr: Expr, extents: Mapping[str, Expr]) -> Expr | None:
        """An upper bound of the expression that is free of the indices in `extents` (each from 0 to its extent - 1);
        None where the expression is not monotone in them."""
        return self._bound(expr, extents, upper=True)

    def bound_below(self, expr: Expr, extents: Mapping[str, Expr]) -> Expr | None:
        """The lower bound, likewise."""
        return self._bound(expr, extents, upper=False)

    def _bound(self, expr: Expr, extents: Mapping[str, Expr], *, upper: bool) -> Expr | None:
        ranges = self._known.ranges
        ends: dict[str, tuple[Poly, Poly]] = {
            name: ({}, polynomials.to_poly(idx("-", extent, ONE), ranges)) for name, extent in extents.items()
        }
        found = Bounds(ranges, ends).bound(polynomials.to_poly(expr, ranges), upper=upper)
        return None if found is None else polynomials.from_poly(found)

    def _without_small_quotients(self, expr: Expr) -> Expr:
        """x / n is 0 and x % n is x where 0 <= x < n, whatever n is; the analyzer knows that of numbers n alone."""
        if not isinstance(expr, Call):
            return expr
        args = tuple(self._without_small_quotients(a) for a in expr.args)
        if expr.fn in ("/", "%") and not isinstance(args[1], Const) and self._is_small(*args):
            return ZERO if expr.fn == "/" else args[0]
        return replace(expr, args=args)

    def _is_small(self, value: Expr, limit: Expr) -> bool:
        """0 <= value < limit, by elimination alone: that is quick where the answer is no."""
        return self._eliminated(compare(">=", value, ZERO)) and self._eliminated(compare("<", value, limit))

    def _eliminated(self, condition: Expr) -> bool:
        """Proven by eliminating the indices."""
        match condition:
            case Call(fn="and", args=args):
                return all(self.prove(a) for a in args)
            case Call(fn="or", args=args):
                return any(self.prove(a) for a in args)
            case Call(fn="==", args=(a, b)):
                return self._eliminated(compare(">=", a, b)) and self._eliminated(compare("<=", a, b))
        poly = at_least_zero(condition, self._known.ranges)
        if poly is None:
            return False
        if self._elimination is None:
            self._elimination = Elimination(self._known)
        return self._elimination.not_negative(poly)

    def _refuted(self, condition: Expr) -> bool:
        """Whether the condition is false somewhere: its interval's end is attained, and no relation forbids it there."""
        poly = at_least_zero(condition, self._known.ranges)
        if poly is None or not attained(poly, self._known.ranges):
            return False
        names = variables(condition)
        return not any(names & variables(relation) for relation in self._known.relations)

    def _is_plain(self, expr: Expr) -> bool:
        """Whether the analyzer has nothing to add: a polynomial, or an expression over constant ranges only."""
        if not any(isinstance(node, Call) and node.fn in _BEYOND_POLYNOMIALS for node in walk(expr)):
            return True
        ranges = self._known.ranges
        return all(name in ranges and ranges[name].bounded for name in variables(expr))


_BEYOND_POLYNOMIALS = ("/", "%", "min", "max", "select", "cast")


@lru_cache(maxsize=ANSWERS)
def _analyzer_simplifies(expr: Expr, conditions: tuple[Expr, ...]) -> Expr:
    import_tvm()
    from uol.ir.integers import analyzer

    return analyzer.simplify(expr, conditions)


def _analyzer_proves(condition: Expr, known: Knowledge) -> bool:
    import_tvm()
    from uol.ir.integers import analyzer

    try:
        return analyzer.prove(condition, known.conditions)
    except OverflowError:
        return False
