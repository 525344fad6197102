"""Bounds of polynomials by eliminating variables: the proofs of affine accesses, symbolic or not, in a fixed time.

Equations go first: under `C == D*g` every C becomes D*g, under `O % g == 0` every O becomes g times a new variable.
Then each index goes to the end of its range that makes the polynomial least (or greatest). What is left speaks of dims
alone, and `d * (x / d)` lies between x - d + 1 and x. All steps are sound; none is complete.
"""

from __future__ import annotations

from uol.ir.integers import polynomials
from uol.ir.integers.assumptions import Knowledge, at_least_zero
from uol.ir.integers.intervals import EVERYTHING
from uol.ir.integers.polynomials import add, interval, multiply, scale, to_poly
from uol.ir.integers.terms import Monomial, Poly, Ranges, compare, idx
from uol.ir.program.nodes import Call, Const, Expr, Load, Var
from uol.ir.program.walk import substitute, variables, walk

_MAX_STEPS = 40

_Equation = tuple[str, Expr, list[Call]]  # a variable, what it equals, and what is known about the latter


class Elimination:
    """Bounds under a set of assumptions. `ends` gives for an index the polynomials of its least and greatest value."""

    def __init__(self, knowledge: Knowledge) -> None:
        self._equal: dict[str, Expr] = {}
        self._known = knowledge
        for condition in knowledge.relations:
            self._solve(condition)
        self.ends = {name: end for c in self._known.relations for name, end in self._end(c)}

    def not_negative(self, poly: Poly) -> bool:
        """Whether the polynomial is >= 0 wherever the assumptions hold."""
        if self._known.contradiction:
            return True
        least = self.bound(self._rewritten(poly), upper=False)
        if least is None:
            return False
        low = interval(least, self._known.ranges).low
        return low is not None and low >= 0

    def bound(self, poly: Poly, *, upper: bool) -> Poly | None:
        """A polynomial free of the indices in `ends` that bounds the given one; None where none is found."""
        return Bounds(self._known.ranges, self.ends).bound(poly, upper=upper)

    def _rewritten(self, poly: Poly) -> Poly:
        return to_poly(substitute(polynomials.from_poly(poly), self._equal), self._known.ranges) if self._equal else poly

    def _solve(self, condition: Expr) -> None:
        condition = substitute(condition, self._equal)
        if not isinstance(condition, Call) or condition.fn != "==":
            return
        left, right = condition.args
        poly = polynomials.difference(left, right, self._known.ranges)
        found = self._multiple(poly) or _isolated(poly)
        if found is None:
            return
        name, value, new = found
        self._equal = {n: substitute(e, {name: value}) for n, e in self._equal.items()} | {name: value}
        # what is known about the variable stays known about its value
        self._known = Knowledge((*new, *(substitute(c, {name: value}) for c in self._known.conditions)))

    def _multiple(self, poly: Poly) -> _Equation | None:
        """x % d == 0, with d positive, says x = d * q; q is not negative where x is not."""
        if len(poly) != 1 or len(atoms := next(iter(poly))) != 1:
            return None
        match atoms[0]:
            case Call(fn="%", args=(Var(name=name), divisor)) if name not in variables(divisor):
                if not _is_positive(divisor, self._known.ranges):
                    return None
                quotient = Var(f"{name}/{len(self._equal)}")  # no name of a text has a slash
                low = self._known.ranges.get(name, EVERYTHING).low
                known = [compare(">=", quotient, Const(0))] if low is not None and low >= 0 else []
                return name, idx("*", divisor, quotient), known
        return None

    def _end(self, condition: Expr) -> list[tuple[str, tuple[Poly, Poly]]]:
        """From `v < E` with v bounded below: the ends of v. The condition says E - v - 1 >= 0."""
        poly = at_least_zero(condition, self._known.ranges)
        out: list[tuple[str, tuple[Poly, Poly]]] = []
        for monomial, factor in (poly or {}).items():
            if factor != -1 or len(monomial) != 1 or not isinstance(monomial[0], Var):
                continue
            name = monomial[0].name
            low = self._known.ranges.get(name, EVERYTHING).low
            rest = {m: c for m, c in (poly or {}).items() if m != monomial}
            if low is not None and not any(name in variables(a) for m in rest for a in m):
                out.append((name, ({(): low} if low else {}, rest)))
        return out[:1]


class Bounds:
    """Bounds of polynomials where some variables have known ends and others only ranges."""

    def __init__(self, ranges: Ranges, ends: dict[str, tuple[Poly, Poly]]) -> None:
        self._ranges = ranges
        self._ends = ends

    def bound(self, poly: Poly, *, upper: bool) -> Poly | None:
        """A bound that is free of the variables in `ends`; None where the polynomial is not monotone in one of them."""
        current: Poly | None = poly
        for _ in range(_MAX_STEPS):
            if current is None:
                return None
            step = self._without_atom(current, upper) or self._without_variable(current, upper)
            if step is None:
                return self._without_products(current, upper)
            current = step.poly
        return None

    def _without_variable(self, poly: Poly, upper: bool) -> _Step | None:
        """Puts one variable to its end, where its factor has one sign."""
        names = dict.fromkeys(a.name for m in poly for a in m if isinstance(a, Var) and a.name in self._ends)
        for name in sorted(names, key=lambda n: any(n in self._dependencies(other) for other in names)):
            rest: Poly = {}
            factor: Poly = {}
            for monomial, coefficient in poly.items():
                left = _without(monomial, name)
                if left is None:
                    rest[monomial] = coefficient
                else:
                    factor = add(factor, {left: coefficient})
            if any(name in variables(a) for m in factor for a in m):
                return _Step(None)  # the square of an index
            sign = self._sign(factor)
            if sign is None:
                continue
            end = self._ends[name][1 if (sign > 0) == upper else 0]
            return _Step(add(rest, multiply(factor, end)))
        return _Step(None) if names else None

    def _dependencies(self, name: str) -> frozenset[str]:
        low, high = self._ends[name]
        return frozenset(n for p in (low, high) for m in p for a in m for n in variables(a))

    def _without_atom(self, poly: Poly, upper: bool) -> _Step | None:
        """Bounds one quotient, remainder, minimum or value from memory that depends on a variable with ends."""
        for monomial, coefficient in poly.items():
            for at, atom in enumerate(monomial):
                if isinstance(atom, Var) or not self._depends(atom):
                    continue
                others: Poly = {monomial[:at] + monomial[at + 1 :]: coefficient}
                sign = self._sign(others)
                end = None if sign is None else self._atom(atom, (sign > 0) == upper)
                if end is None:
                    return _Step(None)
                rest = {m: c for m, c in poly.items() if m != monomial}
                return _Step(add(rest, multiply(others, end)))
        return None

    def _depends(self, atom: Expr) -> bool:
        return bool(variables(atom) & set(self._ends)) or any(isinstance(n, Load) for n in walk(atom))

    def _atom(self, atom: Expr, upper: bool) -> Poly | None:
        match atom:
            case Call(fn="/", args=(x, d)) if not self._depends(d) and self._positive(d):
                inner = self.bound(to_poly(x, self._ranges), upper=upper)
                return None if inner is None else self._poly(idx("/", polynomials.from_poly(inner), d))
            case Call(fn="%", args=(_, d)) if not self._depends(d) and self._positive(d):
                return self._poly(idx("-", d, Const(1))) if upper else {}
            case Call(fn="min" | "max" as fn, args=(a, b)):
                left, right = (self.bound(to_poly(x, self._ranges), upper=upper) for x in (a, b))
                if left is None or right is None:
                    return None
                return self._poly(idx(fn, polynomials.from_poly(left), polynomials.from_poly(right)))
        box = polynomials.atom_interval(atom, self._ranges)
        end = box.high if upper else box.low
        return None if end is None else ({(): end} if end else {})

    def _without_products(self, poly: Poly, upper: bool) -> Poly:
        """d * (x / d), with d positive, lies between x - d + 1 and x."""
        for monomial, coefficient in poly.items():
            for at, atom in enumerate(monomial):
                match atom:
                    case Call(fn="/", args=(x, d)) if self._positive(d):
                        others: Poly = {monomial[:at] + monomial[at + 1 :]: coefficient}
                        factor = _exact_quotient(others, to_poly(d, self._ranges))
                        sign = None if factor is None else self._sign(factor)
                        if factor is None or sign is None:
                            continue
                        end = to_poly(x, self._ranges)
                        if (sign > 0) != upper:
                            end = add(add(end, scale(to_poly(d, self._ranges), -1)), {(): 1})
                        rest = {m: c for m, c in poly.items() if m != monomial}
                        return self._without_products(add(rest, multiply(factor, end)), upper)
        return poly

    def _poly(self, expr: Expr) -> Poly:
        """The polynomial, with quotients that have one value only, such as (-1) / d, as that value."""
        out: Poly = {}
        for monomial, coefficient in to_poly(expr, self._ranges).items():
            box = interval({monomial: coefficient}, self._ranges)
            single = box.low is not None and box.low == box.high
            out = add(out, {(): box.low} if single and box.low else {} if single else {monomial: coefficient})
        return out

    def _positive(self, divisor: Expr) -> bool:
        return _is_positive(divisor, self._ranges)

    def _sign(self, poly: Poly) -> int | None:
        box = interval(poly, self._ranges)
        if box.low is not None and box.low >= 0:
            return 1
        return -1 if box.high is not None and box.high <= 0 else None


class _Step:
    """A polynomial after one step; None where the bound is given up."""

    __slots__ = ("poly",)

    def __init__(self, poly: Poly | None) -> None:
        self.poly = poly


def _without(monomial: Monomial, name: str) -> Monomial | None:
    for at, atom in enumerate(monomial):
        if isinstance(atom, Var) and atom.name == name:
            return monomial[:at] + monomial[at + 1 :]
    return None


def _is_positive(divisor: Expr, ranges: Ranges) -> bool:
    low = interval(to_poly(divisor, ranges), ranges).low
    return low is not None and low > 0


def _exact_quotient(poly: Poly, divisor: Poly) -> Poly | None:
    """poly / divisor, where the divisor is one monomial that divides every term."""
    if len(divisor) != 1:
        return None
    ((monomial, factor),) = divisor.items()
    out: Poly = {}
    for term, coefficient in poly.items():
        left = polynomials.without(term, monomial)
        if left is None or coefficient % factor:
            return None
        out[left] = coefficient // factor
    return out


def _isolated(poly: Poly) -> _Equation | None:
    """A variable that stands alone with the factor 1 or -1, and the rest that it equals."""
    for monomial, factor in poly.items():
        if abs(factor) != 1 or len(monomial) != 1 or not isinstance(monomial[0], Var):
            continue
        name = monomial[0].name
        rest = {m: c * -factor for m, c in poly.items() if m != monomial}
        if not any(name in variables(a) for m in rest for a in m):
            return name, polynomials.from_poly(rest), []
    return None
