"""How large integer expressions get, and which of them are never negative: intervals over a kernel's axes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import reduce

from uol.codegen.indexing.arithmetic import static
from uol.codegen.specs.nodes import Guard, Within
from uol.ir.integers.intervals import EVERYTHING, Interval
from uol.ir.program.nodes import Axis, Call, Const, Expr, Var
from uol.ir.types import DTYPES, INDEX, integer_range, is_float, is_integer

NATURAL = Interval(0, None)
POSITIVE = Interval(1, None)
NEGATION = Interval(-1, -1)


def _masked(a: Interval, b: Interval) -> Interval:
    """The interval of `a & b`, which is at most the one of both that is never negative."""
    bounds = [side for side in (a, b) if side.low is not None and side.low >= 0]
    return reduce(Interval.meet, [Interval(0, side.high) for side in bounds], EVERYTHING)


RULES: Mapping[str, Callable[[Interval, Interval], Interval]] = {
    "+": Interval.__add__,
    "-": lambda a, b: a + b * NEGATION,
    "*": Interval.__mul__,
    "/": Interval.floor_divide,
    "%": Interval.modulo,
    "min": Interval.minimum,
    "max": Interval.maximum,
    "bit_and": _masked,
}


@dataclass(frozen=True, slots=True)
class Ranges:
    """Intervals of variables by name, and of whole expressions where a guard narrows them."""

    variables: Mapping[str, Interval]
    narrowed: Mapping[Expr, Interval] = field(default_factory=dict)

    @staticmethod
    def over(axes: Iterable[Axis], dims: Iterable[str] = ()) -> Ranges:
        """0 <= axis < extent for every axis, 0 <= dim for every dim."""
        bounds = {d: NATURAL for d in dims}
        for axis in axes:
            extent = static(axis.extent)
            bounds[axis.name] = Interval(0, None if extent is None else max(extent - 1, 0))
        return Ranges(bounds)

    def where(self, guards: Iterable[Guard]) -> Ranges:
        """The same under the guards: each `Within` narrows its value wherever it occurs."""
        narrowed = dict(self.narrowed)
        for guard in guards:
            if isinstance(guard, Within):
                low = None if guard.low is None else self.of(guard.low).low
                high = None if guard.high is None else self.of(guard.high).high
                bound = Interval(low, None if high is None else high - 1)
                narrowed[guard.value] = narrowed.get(guard.value, EVERYTHING).meet(bound)
        return Ranges(self.variables, narrowed)

    def of(self, expr: Expr) -> Interval:
        """An interval that holds every value of the expression. (A guard that never holds gives an empty one.)"""
        found = self._of(expr)
        return found.meet(self.narrowed[expr]) if expr in self.narrowed else found

    def _of(self, expr: Expr) -> Interval:
        match expr:
            case Const(value=value, dtype=dtype) if not is_float(dtype):
                return Interval(int(value), int(value))
            case Var(name=name, dtype=dtype):
                return self.variables.get(name, type_range(dtype))
            case Call(fn="neg", args=(a,), dtype=dtype):
                return _unwrapped(self.of(a) * NEGATION, dtype)
            case Call(fn="abs", args=(a,), dtype=dtype):
                return _unwrapped(self.of(a).maximum(self.of(a) * NEGATION).meet(NATURAL), dtype)
            case Call(fn="select", args=(_, a, b)):
                return self.of(a).union(self.of(b))
            case Call(fn="cast", args=(a,), dtype=dtype):
                return _unwrapped(self.of(a), dtype)
            case Call(fn="/" | "%" as fn, args=(a, b), dtype=dtype) if dtype == INDEX:  # a divisor is proven positive
                divisor = self.of(b).meet(POSITIVE)
                return RULES[fn](self.of(a), POSITIVE if divisor.empty else divisor)  # there are no elements by 0
            case Call(fn=fn, args=(a, b), dtype=dtype) if fn in RULES and is_integer(dtype):
                return _unwrapped(RULES[fn](self.of(a), self.of(b)), dtype)
        return type_range(expr.type)


def _unwrapped(exact: Interval, dtype: str) -> Interval:
    """What is exact within a type is its value there; of what may wrap only the type's range is known."""
    own = type_range(dtype)
    return exact if exact.meet(own) == exact else own


def type_range(dtype: str) -> Interval:
    """The values of an integer type; everything for the unbounded index type and for floats."""
    info = DTYPES.get(dtype)
    if info is None or info.kind == "float":
        return EVERYTHING
    return Interval(0, 1) if info.kind == "bool" else Interval(*integer_range(dtype))


def fits_int(interval: Interval) -> bool:
    """Does every value fit C's int of 32 bits?"""
    return interval.low is not None and interval.high is not None and interval.low >= -(2**31) and interval.high < 2**31


def join(intervals: Iterable[Interval]) -> Interval:
    """The least interval that holds all of them and 0."""
    return reduce(Interval.union, intervals, Interval(0, 0))
