"""Index arithmetic: folded sums and products, flat offsets, affine forms."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from uol.ir.program.nodes import Axis, Call, Const, Expr, Var
from uol.ir.types import INDEX

ZERO = Const(0)
ONE = Const(1)


def static(expr: Expr) -> int | None:
    """The value of a constant index expression; None where it is symbolic."""
    return int(expr.value) if isinstance(expr, Const) else None


def add(a: Expr, b: Expr) -> Expr:
    """a + b, folded."""
    if isinstance(a, Const) and isinstance(b, Const):
        return Const(a.value + b.value)
    if a == ZERO:
        return b
    return a if b == ZERO else Call("+", (a, b), INDEX)


def mul(a: Expr, b: Expr) -> Expr:
    """a * b, folded; a constant goes to the right."""
    if isinstance(a, Const) and isinstance(b, Const):
        return Const(a.value * b.value)
    if ZERO in (a, b):
        return ZERO
    if isinstance(a, Const):
        a, b = b, a
    return a if b == ONE else Call("*", (a, b), INDEX)


def product(factors: Iterable[Expr]) -> Expr:
    """The folded product; 1 where there are none."""
    result: Expr = ONE
    for factor in factors:
        result = mul(result, factor)
    return result


def size(axes: Iterable[Axis]) -> Expr:
    """How many points the axes span."""
    return product(axis.extent for axis in axes)


def dense_strides(shape: Sequence[Expr], order: Sequence[int] | None = None) -> tuple[Expr, ...]:
    """Element strides of a dense buffer whose dims lie in `order`, outermost first (default: row-major)."""
    order = range(len(shape)) if order is None else order
    strides: list[Expr] = [ONE] * len(shape)
    step: Expr = ONE
    for dim in reversed(list(order)):
        strides[dim] = step
        step = mul(step, shape[dim])
    return tuple(strides)


def physical_order(shape: Sequence[Expr], strides: Sequence[Expr]) -> tuple[int, ...]:
    """The dims from the largest stride to the smallest. A dim of size 1 keeps its logical place beside its neighbours,
    since its stride says nothing. Symbolic strides are taken to be in row-major order."""
    if any(static(s) is None for s in strides):
        return tuple(range(len(shape)))
    wide = sorted((d for d in range(len(shape)) if static(shape[d]) != 1), key=lambda d: (-(static(strides[d]) or 0), d))
    order = list(wide)
    for dim in range(len(shape)):
        if static(shape[dim]) == 1:
            order.insert(next((i for i, other in enumerate(order) if other > dim), len(order)), dim)
    return tuple(order)


def flat_offset(index: Sequence[Expr], shape: Sequence[Expr], strides: Sequence[Expr]) -> Expr:
    """sum of index * stride, in Horner form where neighbouring dims are dense: (n*H + h)*W + w."""
    total: Expr = ZERO
    run: Expr = ZERO
    order = physical_order(shape, strides)
    for place, dim in enumerate(order):
        run = add(run, index[dim])
        inner = order[place + 1] if place + 1 < len(order) else None
        if inner is not None and strides[dim] == mul(strides[inner], shape[inner]):
            run = mul(run, shape[inner])
        else:
            total = add(total, mul(run, strides[dim]))
            run = ZERO
    return total


@dataclass(frozen=True, slots=True)
class Affine:
    """constant + sum of coefficient * variable, with integer coefficients."""

    coefficients: tuple[tuple[str, int], ...]
    constant: int

    def coefficient(self, name: str) -> int:
        return dict(self.coefficients).get(name, 0)


def affine(expr: Expr) -> Affine | None:
    """The affine form of an index expression with constant coefficients, or None."""
    terms = _terms(expr)
    if terms is None:
        return None
    constant = terms.pop("", 0)
    return Affine(tuple(sorted((n, c) for n, c in terms.items() if c)), constant)


def _terms(expr: Expr) -> dict[str, int] | None:
    match expr:
        case Const(value=value):
            return {"": int(value)}
        case Var(name=name):
            return {name: 1}
        case Call(fn="neg", args=(a,)):
            return _scaled(_terms(a), -1)
        case Call(fn="+" | "-" as fn, args=(a, b)):
            left, right = _terms(a), _scaled(_terms(b), 1 if fn == "+" else -1)
            if left is None or right is None:
                return None
            return {n: left.get(n, 0) + right.get(n, 0) for n in {*left, *right}}
        case Call(fn="*", args=(a, b)):
            left, right = _terms(a), _terms(b)
            if left is not None and set(left) <= {""}:
                return _scaled(right, left.get("", 0))
            if right is not None and set(right) <= {""}:
                return _scaled(left, right.get("", 0))
    return None


def _scaled(terms: dict[str, int] | None, factor: int) -> dict[str, int] | None:
    return None if terms is None else {n: c * factor for n, c in terms.items()}
