"""What is known about integers, and what follows from it.

Constant shapes are decided by `uol.ir.integers`; everything else by TVM's analyzer (`sym.Analyzer`, with Z3 at
`ProofStrength.SYMBOLIC_BOUND`), which `uol.ir.analyzer` wraps. TVM is imported when a symbolic question comes up, and
by no other module of the language.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING

from uol.ir import integers
from uol.ir.integers import COMPARISONS, ONE
from uol.ir.intervals import EVERYTHING, Interval
from uol.ir.nodes import Call, Const, Expr, Load, Var
from uol.ir.types import INDEX
from uol.ir.walk import substitute, variables, walk

if TYPE_CHECKING:
    from uol.ir.analyzer import Analyzer


class Facts:
    """Assumptions about indices, dims and attributes; proves conditions and simplifies expressions under them.

    >>> n, i = Var("N"), Var("i")
    >>> facts = Facts((Call(">=", (i, Const(0)), "bool"), Call("<", (i, Const(8)), "bool")))
    >>> facts.prove(Call("<", (Call("/", (i, Const(2)), "idx"), Const(4)), "bool"))
    True
    """

    def __init__(self, assumptions: Iterable[Expr] = ()) -> None:
        self._conditions: list[Expr] = []
        self._relations: list[Expr] = []  # conditions that no range of a single variable expresses
        self._ranges: dict[str, Interval] = {}
        self._contradiction = False
        self._memo: dict[tuple[Expr, tuple[Expr, ...]], bool] = {}
        self._assume(assumptions)

    @contextmanager
    def scope(self, *conditions: Expr) -> Iterator[Facts]:
        """Within the `with` block the conditions hold as well. Conditions that speak of more than integers are ignored."""
        saved = list(self._conditions), list(self._relations), dict(self._ranges), self._contradiction
        self._assume(conditions)
        try:
            yield self
        finally:
            self._conditions, self._relations, self._ranges, self._contradiction = saved

    def prove(self, condition: Expr) -> bool:
        """Whether the condition follows for all values of its variables. False means: not proven."""
        if self._contradiction:
            return True
        known = integers.decide(condition, self._ranges)
        if known is not None:
            return known
        condition = integers.simplify(condition, self._ranges)
        if condition in self._conditions:
            return True
        if not is_integral(condition) or self._refuted(condition):
            return False
        key = (condition, tuple(self._conditions))
        if key not in self._memo:
            try:
                self._memo[key] = _analyzer().prove(condition, self._conditions)
            except OverflowError:
                self._memo[key] = False
        return self._memo[key]

    def simplify(self, expr: Expr) -> Expr:
        """An equal expression (dtype idx or bool), in a readable form."""
        expr = integers.simplify(expr, self._ranges)
        if not is_integral(expr) or self._is_plain(expr):
            return expr
        try:
            return integers.simplify(_analyzer().simplify(expr, self._conditions), self._ranges)
        except OverflowError:
            return expr

    def stride(self, expr: Expr, axis: str) -> Expr | None:
        """What the expression grows by where `axis` grows by one: a finite difference.

        None where that is not the same everywhere along the axis (a quotient, a remainder, a value read from memory).
        """
        if any(axis in variables(node) for node in walk(expr) if isinstance(node, Load) or _is_cast(node)):
            return None
        step = substitute(expr, {axis: integers.idx("+", Var(axis), ONE)})
        growth = integers.from_poly(integers.difference(step, expr, self._ranges))
        if axis in variables(growth) and not self._is_plain(growth):
            growth = self.simplify(growth)
        return None if axis in variables(growth) else growth

    def interval(self, expr: Expr) -> Interval:
        """Constant bounds of an expression of dtype idx; an end that is not known is None."""
        return integers.interval(integers.to_poly(expr, self._ranges), self._ranges)

    def bound_above(self, expr: Expr, extents: dict[str, Expr]) -> Expr | None:
        """An upper bound of the expression that is free of the indices in `extents` (each from 0 to its extent - 1);
        None where the expression is not monotone in them."""
        return self._bound(expr, extents, True)

    def bound_below(self, expr: Expr, extents: dict[str, Expr]) -> Expr | None:
        """The lower bound, likewise."""
        return self._bound(expr, extents, False)

    def _assume(self, conditions: Iterable[Expr]) -> None:
        for condition in conditions:
            if isinstance(condition, Call) and condition.fn == "and":
                self._assume(condition.args)
                continue
            if not is_integral(condition):
                continue
            condition = integers.simplify(condition, self._ranges)
            if isinstance(condition, Const):
                self._contradiction = self._contradiction or not condition.value
                continue
            if condition not in self._conditions:
                self._conditions.append(condition)
                self._learn(condition)

    def _learn(self, condition: Expr) -> None:
        """A bound on one variable goes into its range, anything else is kept as a relation."""
        match condition:
            case Call(fn="==", args=(Var(name=name), Const(value=value), *_)):
                self._narrow(name, Interval(int(value), int(value)))
                return
        poly = integers.at_least_zero(condition, self._ranges)
        names = [m for m in poly if m] if poly is not None else []
        if poly is None or len(names) != 1 or len(names[0]) != 1 or not isinstance(names[0][0], Var):
            self._relations.append(condition)
            return
        factor, constant = poly[names[0]], poly.get((), 0)  # factor * v + constant >= 0
        limit = Interval(-(constant // factor), None) if factor > 0 else Interval(None, constant // -factor)
        self._narrow(names[0][0].name, limit)

    def _narrow(self, name: str, limit: Interval) -> None:
        known = self._ranges.get(name, EVERYTHING).meet(limit)
        self._contradiction = self._contradiction or known.empty
        self._ranges[name] = known

    def _refuted(self, condition: Expr) -> bool:
        """Whether the condition is false somewhere: its interval's end is attained, and no relation forbids it there."""
        poly = integers.at_least_zero(condition, self._ranges)
        if poly is None or not integers.attained(poly, self._ranges):
            return False
        names = variables(condition)
        return not any(names & variables(relation) for relation in self._relations)

    def _is_plain(self, expr: Expr) -> bool:
        """Whether the analyzer has nothing to add: a polynomial, or an expression over constant ranges only."""
        if not any(isinstance(node, Call) and node.fn in _BEYOND_POLYNOMIALS for node in walk(expr)):
            return True
        return all(name in self._ranges and self._ranges[name].bounded for name in variables(expr))

    def _bound(self, expr: Expr, extents: dict[str, Expr], upper: bool) -> Expr | None:
        found = self._monotone_bound(expr, extents, upper)
        return None if found is None else integers.simplify(found, self._ranges)

    def _monotone_bound(self, expr: Expr, extents: dict[str, Expr], upper: bool) -> Expr | None:
        if not variables(expr) & set(extents) and not any(isinstance(n, Load) for n in walk(expr)):
            return expr
        match expr:
            case Var(name=name):
                return integers.idx("-", extents[name], ONE) if upper else Const(0)
            case Call(fn="+" | "min" | "max" as fn, args=(a, b)):
                return self._join(fn, self._bound(a, extents, upper), self._bound(b, extents, upper))
            case Call(fn="-", args=(a, b)):
                return self._join("-", self._bound(a, extents, upper), self._bound(b, extents, not upper))
            case Call(fn="neg", args=(a,)):
                inner = self._bound(a, extents, not upper)
                return None if inner is None else integers.idx("neg", inner)
            case Call(fn="*" | "/" as fn, args=(a, b)) if not variables(b) & set(extents):
                if self.prove(integers.compare(">=" if fn == "*" else ">", b, Const(0))):
                    return self._join(fn, self._bound(a, extents, upper), b)
            case Call(fn="*", args=(a, b)):
                return self._bound(integers.idx("*", b, a), extents, upper) if not variables(a) & set(extents) else None
            case Call(fn="%", args=(_, b)) if not variables(b) & set(extents):
                return integers.idx("-", b, ONE) if upper else Const(0)
        return None

    @staticmethod
    def _join(fn: str, a: Expr | None, b: Expr | None) -> Expr | None:
        return None if a is None or b is None else integers.idx(fn, a, b)


_BEYOND_POLYNOMIALS = ("/", "%", "min", "max", "select", "cast")


def is_integral(expr: Expr) -> bool:
    """Whether an expression or condition speaks of integers only (values read from memory count as unknown integers)."""
    match expr:
        case Const(dtype=dtype):
            return dtype in (INDEX, "bool")
        case Var(dtype=dtype):
            return dtype == INDEX
        case Call(fn="cast", dtype=dtype):
            return dtype == INDEX
        case Call(fn="and" | "or" | "not", args=args):
            return all(map(is_integral, args))
        case Call(fn="select", args=args, dtype=dtype):
            return dtype == INDEX and all(map(is_integral, args))
        case Call(fn=fn, args=args):
            return (fn in COMPARISONS or expr.type == INDEX) and all(a.type == INDEX and is_integral(a) for a in args)
    return False


def _is_cast(node: Expr) -> bool:
    return isinstance(node, Call) and node.fn == "cast"


@cache
def _analyzer() -> Analyzer:
    from uol.ir.analyzer import Analyzer

    return Analyzer()
