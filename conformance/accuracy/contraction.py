"""Sums of products of intervals by matrix multiplication: what makes golden values of whole layers affordable.

    sum[k](a * b) = A @ B,  |error| <= growth * K * |A| @ |B|  +  rA @ |B| + |A| @ rB + rA @ rB

with r the radius of a factor's own interval.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

import numpy as np

from uol.conformance.accuracy.contracts import NARROW, Contract, SumError
from uol.conformance.accuracy.index_space import Frame, Range
from uol.conformance.accuracy.interval import Enclosure, Floats, hull, point, rounded, smallest_normal
from uol.conformance.accuracy.reductions import Size, granules, spread, sums_exactly
from uol.ir.program.nodes import Call, Const, Expr, Load, Reduce
from uol.ir.program.walk import variables
from uol.ir.types import is_float

_SMALL = 1 << 15
"""Below so many products the terms are added one by one."""


@dataclass(frozen=True, slots=True)
class Product:
    """sum over `k` of two factors: `batch` is seen by both, `m` by the first alone, `n` by the second alone; an axis that
    neither sees is among `batch`. `outer` is the frame of the result."""

    factors: tuple[Expr, Expr]
    outer: Frame
    batch: tuple[Range, ...]
    m: tuple[Range, ...]
    n: tuple[Range, ...]
    k: tuple[Range, ...]

    def frame(self, factor: int) -> Frame:
        """What a factor is evaluated over."""
        return Frame(self.batch + (self.n if factor else self.m) + self.k)


def split_product(expr: Reduce, outer: Frame) -> Product | None:
    """The reduction as a sum of a product of two factors that see different axes, or None where it is not one."""
    inner = Frame.of(expr.axes)
    body = expr.body
    if expr.op != "sum" or expr.where or not is_float(expr.dtype) or not (isinstance(body, Call) and body.fn == "*"):
        return None
    if inner.size * outer.size < _SMALL or len({r.name for r in (outer + inner).ranges}) != len((outer + inner).ranges):
        return None
    a, b = body.args
    in_a, in_b = variables(a), variables(b)
    m = tuple(r for r in outer.ranges if r.name in in_a - in_b)
    n = tuple(r for r in outer.ranges if r.name in in_b - in_a)
    if not m or not n:
        return None
    batch = tuple(r for r in outer.ranges if r not in m and r not in n)
    return Product((a, b), outer, batch, m, n, inner.ranges)


Made = Mapping[str, Expr]
"""The values of a program's tensors that are neither inputs nor results, by name."""


def matrix_type(expr: Reduce, owed: Contract, made: Made) -> str:
    """The type whose elements, widened, the factors are where a reduction is a sum of products that matrix units may add; empty
    for any other."""
    return product_type(expr.body, owed, made) if expr.op == "sum" else ""


def product_type(body: Expr, owed: Contract, made: Made) -> str:
    """The same of what is summed."""
    if not (isinstance(body, Call) and body.fn == "*"):
        return ""
    types = {_factor_type(f, made) for f in body.args}
    found = types.pop() if len(types) == 1 else ""
    return found if found in NARROW or (found == "f32" and owed.is_tf32) else ""


def _factor_type(factor: Expr, made: Made) -> str:
    """The type of which a factor's values are, widened perhaps: of a tensor that the program makes, of what it is made."""
    match factor:
        case Load(tensor=name) if name in made:
            return _factor_type(made[name], made)
        case Call(fn="cast", args=(inner,)):
            return inner.type
        case Call(fn="select", args=(_, first, second)):
            types = {_factor_type(each, made) for each in (first, second) if not _is_of_each(each)}
            return types.pop() if len(types) == 1 else factor.type
    return factor.type


def _is_of_each(value: Expr) -> bool:
    """Is it a constant that each type has?"""
    return isinstance(value, Const) and value.value in (0, 1, -1)


def sum_of(kind: str) -> str:
    """The kind of a sum of products of such a type, as a contract knows it."""
    return "sum" if not kind else "tf32_sum" if kind == "f32" else "matrix_sum"


def as_factor(factor: Enclosure, dtype: str, owed: Contract) -> Enclosure:
    """What a matrix unit may take a factor for: a subnormal one of a type that is flushed for zero, one in f32 for one in TF32
    where that is allowed. (As a rule, errors of factors balance: `SumError.factor`.)"""
    if dtype in owed.flushed_products:
        return rounded(factor, dtype, 0.0, flush=True)
    if dtype == "f32" and owed.is_tf32 and not owed.is_typical:
        wider = [edge * (1 + sign * owed.tf32_factor) for edge in (factor.low, factor.high) for sign in (-1.0, 1.0)]
        return hull(factor.value, *wider)
    return factor


def contract_factors(
    product: Product, factors: list[Enclosure], dtype: str, growth: SumError, *, flushed: bool = False
) -> Enclosure | None:
    """The sum over the outer frame; None where a factor is not finite and matrix products say nothing. With `flushed`, sums
    below the smallest normal number may be zero: an addition loses no more than that number."""
    tiny = smallest_normal(dtype) if flushed else 0.0
    a, b = (_matrices(product, f, number) for number, f in enumerate(factors))
    if not all(np.all(np.isfinite(edge)) for f in (a, b) for edge in (f.low, f.high)):
        return None
    value = _times(a.value, b.value)
    size_a, size_b = (np.maximum(np.abs(f.low), np.abs(f.high)) for f in (a, b))
    magnitude = _times(size_a, size_b)
    exact = np.zeros(value.shape, bool)
    if a.exact and b.exact:
        exact = sums_exactly(granules(a.value)[..., :, None] * granules(b.value)[..., None, :], magnitude, dtype)
    if exact.all():  # of multiples of a grain, none is subnormal
        return _back(product, point(value))
    terms = prod(r.size for r in product.k)
    squares = _times(a.value**2, b.value**2) if growth.typical is not None else np.zeros(())
    error = spread(growth, terms, Size(magnitude, value, squares), dtype)
    error = error + _inherited(a, b, size_a, size_b) + (terms + 1) * tiny
    error = np.where(exact, 0.0, error)
    return _back(product, hull(value, value - error, value + error))


def _inherited(a: Enclosure, b: Enclosure, size_a: Floats, size_b: Floats) -> Floats:
    """The error that the factors bring with them; sizes are of their far edges, so the product of radii is within."""
    error = np.zeros(())
    if not a.exact:
        error = error + _times(_radius(a), size_b)
    if not b.exact:
        error = error + _times(size_a, _radius(b))
    return error


def _radius(x: Enclosure) -> Floats:
    radius: Floats = np.maximum(x.value - x.low, x.high - x.value)
    return radius


def _matrices(product: Product, factor: Enclosure, number: int) -> Enclosure:
    frame = product.frame(number)
    rows, terms = prod(r.size for r in (product.n if number else product.m)), prod(r.size for r in product.k)
    batch = prod(r.size for r in product.batch)

    def shaped(array: Floats) -> Floats:
        return np.ascontiguousarray(np.broadcast_to(array, frame.shape), dtype=np.float64).reshape(batch, rows, terms)

    return factor.map(shaped)


def _times(a: Floats, b: Floats) -> Floats:
    result: Floats = np.matmul(a, np.swapaxes(b, -1, -2))
    return result


def _back(product: Product, result: Enclosure) -> Enclosure:
    """From [batch, m, n] to the order of the outer frame."""
    ranges = product.batch + product.m + product.n
    place = [ranges.index(r) for r in product.outer.ranges]
    return result.map(lambda a: a.reshape([r.size for r in ranges]).transpose(place))
