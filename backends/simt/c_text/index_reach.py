"""What indices of a kernel there are, and under which sizes `int` holds all of them where dims are arguments.

How far an index gets is bounded by a polynomial over the dims, with no negative coefficient: |a - b| by what bounds a plus what
bounds b, and so on. One polynomial bounds all indices of a kernel, and the host asks at each call whether it fits 32 bits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from math import ceil

from uol.codegen.indexing.arithmetic import ONE, ZERO, add, mul, product, size
from uol.codegen.specs.nodes import Fold, Guard, KernelSpec, Read, Reduce, Within, guard_operands
from uol.codegen.specs.search import Search
from uol.codegen.specs.steps import PICKS
from uol.ir.integers.terms import compare
from uol.ir.program.nodes import Axis, Call, Const, Expr, Var
from uol.ir.types import INDEX

LARGEST = 2**31 - 1
"""What an `int` holds."""
ROUNDED = 1 << 16
"""Of which the number beside sizes is a multiple: kernels of one operator then mostly ask for the same."""
Bound = dict[tuple[str, ...], float]
"""A coefficient for each product of dims; the empty one is 1."""
Bounds = dict[Expr, Bound]
"""Of variables, and of what guards narrow."""
Part = tuple[Expr, tuple[Guard, ...]]
"""An index, and the guards that hold where it is computed."""
Joined = Callable[[Bound, Bound], Bound]


def fits_int_where(spec: KernelSpec, counts: Iterable[Expr], parts: Iterable[Part]) -> Expr | None:
    """The condition on dims under which every one of `parts`, indices and steps on the way to them, and of `counts` fits an
    `int`; None where there is none, since data has a part in an index."""
    dims: Bounds = {Var(name): {(name,): 1} for name in spec.dims}
    known = dict(dims)
    for axis in indices_of(spec):
        extent = _bound(axis.extent, dims)
        if extent is None:
            return None
        known[Var(axis.name)] = extent
    found = [_bound(count, dims) for count in counts]
    found += [_bound(part, _where(known, guards) if guards else known) for part, guards in parts]
    whole: Bound = {}
    for each in found:
        if each is None:
            return None
        for term, factor in each.items():
            whole[term] = max(whole.get(term, 0), factor)
    total: Expr = ZERO
    for term, factor in sorted(whole.items(), reverse=True):
        coefficient = ceil(factor) if term else -(-ceil(factor) // ROUNDED) * ROUNDED
        total = add(total, mul(product(map(Var, term)) if term else ONE, Const(coefficient)))
    return compare("<=", total, Const(LARGEST))


def indices_of(spec: KernelSpec) -> tuple[Axis, ...]:
    """The axes of a spec, and the places of extrema, which are among as many as there are columns."""
    if not isinstance(spec, Reduce):
        return spec.axes
    picks = (step.name for step in spec.steps if isinstance(step, Fold) and step.op in PICKS)
    return (*spec.axes, *(Axis(name, size(spec.cols)) for name in picks))


def index_parts(expr: Expr, guards: tuple[Guard, ...] = ()) -> Iterator[Part]:
    """Every index that is computed for an expression, and every step on the way to it, each with the guards that hold there:
    within a read its own."""
    if isinstance(expr, Read):
        yield from _steps(expr.offset, (*guards, *expr.guard) if expr.guard else guards)
        for operand in guard_operands(expr.guard):
            yield from _steps(operand, guards)
        if expr.fill is not None:
            yield from index_parts(expr.fill, guards)
        return
    if isinstance(expr, Search):
        yield mul(expr.count, expr.stride), guards
    if expr.type == INDEX:
        yield expr, guards
    for child in expr.children:
        yield from index_parts(child, guards)


def _steps(expr: Expr, guards: tuple[Guard, ...]) -> Iterator[Part]:
    """The same of what is used as an index: data that is read for it counts, whatever its type."""
    if expr.type != "bool":
        yield expr, guards
    if isinstance(expr, Read):
        yield from index_parts(expr, guards)
        return
    for child in expr.children:
        yield from _steps(child, guards)


def _where(known: Bounds, guards: Iterable[Guard]) -> Bounds:
    """The same where guards hold."""
    narrowed = dict(known)
    for guard in guards:
        if isinstance(guard, Within) and guard.low is not None and guard.high is not None:
            low, high = _bound(guard.low, known), _bound(guard.high, known)
            if low is not None and high is not None:
                narrowed[guard.value] = _sum(low, high)
    return narrowed


def _bound(expr: Expr, known: Bounds) -> Bound | None:
    """What the size of an index does not exceed."""
    if expr in known:
        return known[expr]
    match expr:
        case Const(value=value):
            return {(): abs(int(value))}
        case Var(name=name) if expr.dtype != INDEX:  # the index that an order gives, which is no axis by its type
            return known.get(Var(name))
        case Call(fn="cast" | "neg" | "abs", args=(a,)):
            return _bound(a, known)
        case Call(fn="select", args=(_, a, b)) | Call(fn="+" | "-" | "min" | "max", args=(a, b)):
            return _both(a, b, known, _sum)
        case Call(fn="*", args=(a, b)):
            return _both(a, b, known, _product)
        case Call(fn="/", args=(a, Const(value=divisor))) if int(divisor) > 0:
            whole = _bound(a, known)
            return None if whole is None else _sum({term: factor / int(divisor) for term, factor in whole.items()}, {(): 1})
        case Call(fn="/" | "%", args=(a, b)):  # a remainder of what is negative is less than the divisor
            return _both(a, b, known, _sum)
    return None


def _both(a: Expr, b: Expr, known: Bounds, joined: Joined) -> Bound | None:
    left, right = _bound(a, known), _bound(b, known)
    return None if left is None or right is None else joined(left, right)


def _sum(a: Bound, b: Bound) -> Bound:
    return {term: a.get(term, 0) + b.get(term, 0) for term in (*a, *b)}


def _product(a: Bound, b: Bound) -> Bound:
    found: Bound = {}
    for left, x in a.items():
        for right, y in b.items():
            term = tuple(sorted((*left, *right)))
            found[term] = found.get(term, 0) + x * y
    return found
