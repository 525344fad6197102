"""Index arithmetic with constants folded: the one place where integer expressions are made short as they are made, have their
variables exchanged, and become numbers once the dims are known.

What two operands come to is decided here and locally; what an expression comes to as a whole, its terms collected, is the
business of `uol.ir.integers.polynomials`, and what it comes to under assumptions that of `uol.ir.integers.facts`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from uol.ir.integers.terms import ON_NUMBERS, idx
from uol.ir.integers.terms import ONE as ONE
from uol.ir.integers.terms import ZERO as ZERO
from uol.ir.program.nodes import Axis, Call, Const, Expr, Var
from uol.ir.program.walk import variables
from uol.ir.types import INDEX

NO_DIMS: Mapping[str, int] = {}
"""Sizes where no dim is an argument."""


def static(expr: Expr) -> int | None:
    """The value of a constant index expression; None where it is symbolic."""
    return int(expr.value) if isinstance(expr, Const) else None


def folded(call: Call) -> Expr:
    """One index operation on constants, or with a neutral operand, as what it comes to.

    >>> from uol.ir.program.nodes import Var
    >>> folded(idx("*", idx("*", Var("i"), Const(3)), Const(5)))
    Call(fn='*', args=(Var(name='i', dtype='idx'), Const(value=15, dtype='idx')), dtype='idx')
    """
    if call.dtype != INDEX or len(call.args) != 2:
        return call
    a, b = call.args
    if isinstance(a, Const) and isinstance(b, Const) and call.fn in ON_NUMBERS:
        return Const(ON_NUMBERS[call.fn](int(a.value), int(b.value)))
    match call.fn:
        case "+":
            return b if a == ZERO else a if b == ZERO else call
        case "*":
            return _multiple(a, b)
        case "-" if b == ZERO:
            return a
        case "/" if b == ONE or a == ZERO:
            return a
        case "%" if b == ONE or a == ZERO:
            return ZERO
    return call


def _multiple(a: Expr, b: Expr) -> Expr:
    """a * b, a constant to the right; (x * 3) * 3 is x * 9."""
    if ZERO in (a, b):
        return ZERO
    if isinstance(a, Const):
        a, b = b, a
    match a, b:
        case Call(fn="*", args=(inner, Const() as factor)), Const():
            return mul(inner, mul(factor, b))
    return a if b == ONE else idx("*", a, b)


def add(a: Expr, b: Expr) -> Expr:
    """a + b, folded."""
    return folded(idx("+", a, b))


def sub(a: Expr, b: Expr) -> Expr:
    """a - b, folded; a constant is added, with the other sign."""
    return add(a, Const(-b.value)) if isinstance(b, Const) else idx("-", a, b)


def mul(a: Expr, b: Expr) -> Expr:
    """a * b, folded; a constant goes to the right."""
    return folded(idx("*", a, b))


def ceil_div(a: Expr, b: int) -> Expr:
    """a / b, rounded up, folded."""
    return folded(idx("/", add(a, Const(b - 1)), Const(b)))


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


def _whole(total: Expr) -> Expr:
    """x / 3 * 3 + x % 3 is x."""
    match total:
        case Call(fn="+", args=(Call(fn="*", args=(Call(fn="/", args=(x, Const() as by)), Const() as factor)), rest)):
            return x if by.value > 0 and factor == by and rest == idx("%", x, by) else total
    return total


def flat_offset(index: Sequence[Expr], shape: Sequence[Expr], strides: Sequence[Expr]) -> Expr:
    """sum of index * stride, in Horner form where neighbouring dims are dense: (n*H + h)*W + w. What a number was taken apart
    into is the number: (i / W)*W + i % W is i."""
    total: Expr = ZERO
    run: Expr = ZERO
    order = physical_order(shape, strides)
    for place, dim in enumerate(order):
        run = _whole(add(run, index[dim]))
        inner = order[place + 1] if place + 1 < len(order) else None
        if inner is not None and strides[dim] == mul(strides[inner], shape[inner]):
            run = mul(run, shape[inner])
        else:
            total = add(total, mul(run, strides[dim]))
            run = ZERO
    return total


def over_dims(conditions: Iterable[Expr], dims: Iterable[str]) -> tuple[Expr, ...]:
    """The conditions that name nothing but dims (others are over run-time attributes, too), each once."""
    known = frozenset(dims)
    return tuple(c for c in dict.fromkeys(conditions) if variables(c) <= known)


def value_at(expr: Expr, dims: Mapping[str, float]) -> int:
    """The number that an expression is at these dims; 1 or 0 for a condition. Division floors, and by 0 gives 0.

    >>> value_at(Call("/", (Var("N"), Const(2)), "idx"), {"N": 7})
    3
    """
    match expr:
        case Const(value=value):
            return int(value)
        case Var(name=name):
            return int(dims[name])
        case Call(fn="select", args=(condition, chosen, other)):
            return value_at(chosen if value_at(condition, dims) else other, dims)
        case Call(fn=fn, args=args) if fn in ON_NUMBERS:
            return int(ON_NUMBERS[fn](*(value_at(a, dims) for a in args)))
    raise TypeError(f"{expr!r} is no expression over dims")


def substituted(expr: Expr, values: Mapping[str, Expr]) -> Expr:
    """The expression with variables exchanged by name and index constants folded."""

    def go(e: Expr) -> Expr:
        return substituted(e, values)

    if isinstance(expr, Var):
        return values.get(expr.name, expr)
    exchanged = expr.map_children(go)
    return folded(exchanged) if isinstance(exchanged, Call) else exchanged


def conjuncts(condition: Expr) -> tuple[Expr, ...]:
    """The parts of a chain of `and`."""
    if isinstance(condition, Call) and condition.fn == "and":
        return tuple(part for arg in condition.args for part in conjuncts(arg))
    return (condition,)
