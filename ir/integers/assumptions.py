"""A set of assumptions about integers, sorted into what each is good for; inequalities as polynomials that are not negative."""

from __future__ import annotations

from collections.abc import Iterable

from uol.ir.integers import polynomials
from uol.ir.integers.intervals import EVERYTHING, Interval
from uol.ir.integers.terms import COMPARISONS, Poly, Ranges
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


class Knowledge:
    """conditions     all of them, simplified, in order
    relations      those that the range of a single variable does not express
    ranges         constant bounds of variables
    contradiction  whether they exclude each other, so that everything follows
    """

    __slots__ = ("conditions", "contradiction", "ranges", "relations")

    def __init__(self, conditions: Iterable[Expr] = ()) -> None:
        self.conditions: tuple[Expr, ...] = ()
        self.relations: tuple[Expr, ...] = ()
        self.ranges: dict[str, Interval] = {}
        self.contradiction = False
        self._assume(conditions)

    def extended(self, conditions: Iterable[Expr]) -> Knowledge:
        """The knowledge with further conditions. Those that speak of more than integers are left out."""
        out = Knowledge()
        out.conditions, out.relations, out.contradiction = self.conditions, self.relations, self.contradiction
        out.ranges = dict(self.ranges)
        out._assume(conditions)
        return out

    def _assume(self, conditions: Iterable[Expr]) -> None:
        for condition in conditions:
            if isinstance(condition, Call) and condition.fn == "and":
                self._assume(condition.args)
                continue
            if not is_integral(condition):
                continue
            condition = polynomials.simplify(condition, self.ranges)
            if isinstance(condition, Const):
                self.contradiction = self.contradiction or not condition.value
            elif isinstance(condition, Call) and condition.fn == "and":
                self._assume(condition.args)
            elif condition not in self.conditions:
                self.conditions = (*self.conditions, condition)
                self._learn(condition)

    def _learn(self, condition: Expr) -> None:
        """A bound on one variable goes into its range, anything else is kept as a relation."""
        match condition:
            case Call(fn="==", args=(Var(name=name), Const(value=value))):
                self._narrow(name, Interval(int(value), int(value)))
                return
        poly = at_least_zero(condition, self.ranges)
        variable = None if poly is None else _only_variable(poly)
        if poly is None or variable is None:
            self.relations = (*self.relations, condition)
            self._learn_positive(poly)
            return
        factor, constant = poly[(variable,)], poly.get((), 0)  # factor * v + constant >= 0
        limit = Interval(-(constant // factor), None) if factor > 0 else Interval(None, constant // -factor)
        self._narrow(variable.name, limit)

    def _learn_positive(self, poly: Poly | None) -> None:
        """From v < a*b with v >= 0: a*b is positive, and so are a and b where they are not negative."""
        if poly is None:
            return
        gains = [m for m, c in poly.items() if m and c > 0]
        rest = {m: c for m, c in poly.items() if m not in gains}
        highest = polynomials.interval(rest, self.ranges).high
        if len(gains) != 1 or highest is None or highest >= 0:
            return  # gain + rest >= 0 with rest <= -1: the gain is at least 1
        for atom in gains[0]:
            if isinstance(atom, Var) and all(_not_negative(a, self.ranges) for a in gains[0]):
                self._narrow(atom.name, Interval(1, None))

    def _narrow(self, name: str, limit: Interval) -> None:
        known = self.ranges.get(name, EVERYTHING).meet(limit)
        self.contradiction = self.contradiction or known.empty
        self.ranges[name] = known


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


def _only_variable(poly: Poly) -> Var | None:
    names = [m for m in poly if m]
    if len(names) != 1 or len(names[0]) != 1:
        return None
    (atom,) = names[0]
    return atom if isinstance(atom, Var) else None


def _not_negative(atom: Expr, ranges: Ranges) -> bool:
    low = polynomials.atom_interval(atom, ranges).low
    return low is not None and low >= 0
