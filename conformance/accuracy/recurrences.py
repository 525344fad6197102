"""Sums whose terms fade by a product over what lies between, of long rows, by one multiply-add a place.

    y[i] = sum[j <= i](b[j] * prod[k > j, k <= i](a[k]))        S_i = a_i * S_{i-1} + b_i

By its definition such a golden value is cubic. That a text is one is found here anew, apart from
`uol.codegen.program.recurrences`, which these values are there to judge.

What rounding may reach: S goes on as intervals, nested, which are no wider than the sum of the terms' (a * (x + y) lies within
a * x + a * y). M_i = |a_i| * M_{i-1} + |b_i| is the sum of the terms' magnitudes, C_i = |a_i| * (C_{i-1} + M_{i-1}) that with
each as often as it has factors; the error of any order is a share of n * M for the sum, and of C for the products.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from operator import itemgetter

import numpy as np

from uol.conformance.accuracy import interval
from uol.conformance.accuracy.index_space import Frame, Range
from uol.conformance.accuracy.interval import Enclosure, Floats, hull, point, smallest_normal
from uol.ir.program.nodes import Call, Expr, Load, Reduce, Var
from uol.ir.program.walk import substitute, variables, walk
from uol.ir.types import DTYPES, is_float

_SMALL = 1 << 21
"""Below so many triples of places, such sums are made by their definition."""


@dataclass(frozen=True, slots=True)
class Fading:
    """Such a sum over the places of `along`: `term` and `factor` are given at a place of it. The product has the place of the
    term with `has_term`, that of the result with `has_result`; the sum has the place itself with `itself`."""

    along: str
    term: Expr
    factor: Expr
    reverse: bool
    itself: bool
    has_term: bool
    has_result: bool

    def run(self, term: Enclosure, factor: Enclosure, growth: tuple[float, float], dtype: str) -> Enclosure:
        """Along the last dimension of both. `growth`: of a sum and of a product, for each of its terms."""
        turn = slice(None, None, -1) if self.reverse else slice(None)
        b, a = (each.map(lambda values: values[..., turn]) for each in (term, factor))
        state, found = _State.empty(b.value.shape[:-1]), list[Enclosure]()
        with np.errstate(all="ignore"):
            for place in range(b.value.shape[-1]):
                own, by = (each.map(itemgetter((..., place))) for each in (b, a))
                plus = interval.multiply(by, own) if self.has_term else own
                here = state.after(by) if self.has_result else state
                if self.itself:
                    here = here.plus(plus if self.has_result else own, factors=int(self.has_term and self.has_result))
                found.append(here.bounds(growth, dtype))
                state = state.after(by).plus(plus, factors=int(self.has_term))
        sides = (np.stack([getattr(each, side) for each in found], -1)[..., turn] for side in ("value", "low", "high"))
        return Enclosure(*sides)


@dataclass(frozen=True, slots=True)
class _State:
    """What a recurrence has come to, and what its error may grow with. `count`: of terms; `least`: how small the product of
    factors may have become, in any order of them; `greatest`: how large."""

    sum: Enclosure
    magnitude: Floats
    factors: Floats
    least: Floats
    greatest: Floats
    count: int

    @staticmethod
    def empty(shape: tuple[int, ...]) -> _State:
        none, one = np.zeros(shape), np.ones(shape)
        return _State(point(none), none, none, one, one, 0)

    def after(self, by: Enclosure) -> _State:
        """Multiplied by one more factor; nothing is what nothing was."""
        if not self.count:
            return self
        size = np.maximum(np.abs(by.low), np.abs(by.high))
        magnitude = size * self.magnitude
        return _State(
            interval.multiply(by, self.sum),
            magnitude,
            size * self.factors + magnitude,
            self.least * np.where(size == 0, 1.0, np.minimum(size, 1.0)),
            self.greatest * np.maximum(size, 1.0),
            self.count,
        )

    def plus(self, term: Enclosure, factors: int) -> _State:
        """With one more term, which has some factors itself."""
        size = np.maximum(np.abs(term.low), np.abs(term.high))
        total = interval.add(self.sum, term) if self.count else term
        smallest = np.where(size == 0, self.least, np.minimum(self.least, size))
        return replace(
            self,
            sum=total,
            magnitude=self.magnitude + size,
            factors=self.factors + factors * size,
            least=smallest,
            count=self.count + 1,
        )

    def bounds(self, growth: tuple[float, float], dtype: str) -> Enclosure:
        """The sum, with what the order of its steps may make of it."""
        if not self.count:
            return self.sum
        of_sum, of_product = growth
        error = of_sum * (self.count - 1) * self.magnitude + of_product * (self.factors + self.magnitude)
        accumulator = DTYPES[dtype].accumulator
        tiny = smallest_normal(accumulator)
        lost = self.count * tiny * self.greatest * np.maximum(self.magnitude, 1.0)  # by products that are subnormal
        error = error * (2.0 if dtype == "f64" else 1.0) + np.where((self.least < tiny) & np.isfinite(lost), lost, 0.0)
        error = np.where(np.isfinite(error), error, 0.0)
        return hull(self.sum.value, self.sum.low - error, self.sum.high + error)


def split_fading(expr: Reduce, frame: Frame, arrays: Mapping[str, Enclosure]) -> Fading | None:
    """The sum as one of terms that fade, or None where it is none, or a short one. `arrays`: what is read."""
    inner, names = Frame.of(expr.axes), [r.name for r in frame.ranges]
    if expr.op != "sum" or not is_float(expr.dtype) or len(expr.axes) != 1 or len(expr.where) != 1:
        return None
    (axis,), bound = inner.ranges, _bounds(expr.where[0])
    match expr.body:
        case Call(fn="*", args=(Reduce(op="prod") as product, term)) | Call(fn="*", args=(term, Reduce(op="prod") as product)):
            bounds = dict(each for where in product.where for each in (_bounds(where),) if each is not None)
        case _:
            return None
    if bound is None or bound[0] not in names or len(product.axes) != 1 or len(product.where) != 2:
        return None
    along, of_sum = bound
    (between,), at = Frame.of(product.axes).ranges, next(r for r in frame.ranges if r.name == along)
    if at.start or frame.size * at.size * at.size < _SMALL or bounds.keys() != {axis.name, along}:
        return None
    of_term, of_result, forward = bounds[axis.name], bounds[along], of_sum.startswith("<")
    if (of_term[0], of_result[0]) != ((">", "<") if forward else ("<", ">")):
        return None
    if not (_reaches(axis, at, of_sum) and _reaches(between, at, of_result if forward else of_term)):
        return None
    if along in variables(term) or {along, axis.name} & variables(product.body):
        return None
    if not all(_is_whole(value, r.name, at.size, arrays) for value, r in ((term, axis), (product.body, between))):
        return None
    here = Var(along)
    return Fading(
        along,
        substitute(term, {axis.name: here}),
        substitute(product.body, {between.name: here}),
        not forward,
        of_sum.endswith("="),
        of_term.endswith("="),
        of_result.endswith("="),
    )


def _reaches(inner: Range, outer: Range, upper: str) -> bool:
    """Does an index run as far as its upper bound does?"""
    return inner.size == outer.size or (upper == "<" and inner.size == outer.size - 1)


def _is_whole(value: Expr, name: str, size: int, arrays: Mapping[str, Enclosure]) -> bool:
    """Is what is read along an index read at the place itself, which is in range anywhere?"""
    loads = (load for load in walk(value) if isinstance(load, Load))
    found = (each for load in loads for each in zip(load.index, arrays[load.tensor].value.shape, strict=True))
    return all(name not in variables(at) or (at, length) == (Var(name), size) for at, length in found)


def _bounds(condition: Expr) -> tuple[str, str] | None:
    """`j <= i` as i, and how j lies to it."""
    match condition:
        case Call(fn="<=" | "<" | ">=" | ">" as relation, args=(Var(), Var(name=name))):
            return name, relation
    return None
