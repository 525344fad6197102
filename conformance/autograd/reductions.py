"""Reductions and sorts at points.

The terms of a reduction are points themselves: every outer point with all values of the reduction's indices, of which those
that its bounds admit are kept. `max` and `min` choose a term, the first of the largest and a NaN before all others, and read
it: the cotangent is that term's alone. `prod` multiplies term by term, so that a factor of 0 is like any other.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce as folded
from math import prod
from typing import Protocol

import torch
from torch import Tensor

from uol.conformance.autograd.dtypes import limits, wrapped
from uol.conformance.autograd.points import Points, spread
from uol.ir.program.nodes import Expr, Order, Reduce
from uol.ir.types import is_float


class Evaluation(Protocol):
    """What a reduction asks about its body (`uol.conformance.autograd.values`)."""

    def integer(self, expr: Expr) -> int:
        """An expression of dims alone."""

    def value(self, expr: Expr, points: Points) -> Tensor:
        """The expression at each point."""

    def holds(self, conditions: tuple[Expr, ...], points: Points) -> Tensor:
        """The numbers of the points at which all conditions hold."""


@dataclass(frozen=True, slots=True)
class Terms:
    """`values` of the terms that are kept; term n belongs to the outer point rows[n], at the row-major place columns[n] of
    `width` places."""

    values: Tensor
    rows: Tensor
    columns: Tensor
    count: int
    width: int

    def table(self, values: Tensor, fill: float | int | bool) -> Tensor:
        """values[count, width] with `fill` where there is no term."""
        out = torch.full((self.count, self.width), fill, dtype=values.dtype)
        return out.index_put((self.rows, self.columns), values)

    def total(self) -> Tensor:
        """The sum for each point."""
        return torch.zeros(self.count, dtype=self.values.dtype).index_add(0, self.rows, self.values)


def reduce(evaluation: Evaluation, expr: Reduce, points: Points) -> Tensor:
    """A reduction at each point."""
    terms = _terms(evaluation, expr, points)
    match expr.op:
        case "sum":
            return wrapped(terms.total(), expr.dtype)
        case "prod":
            columns = terms.table(terms.values, 1).unbind(1) if terms.width else ()
            one = torch.ones(points.count, dtype=terms.values.dtype)
            return wrapped(folded(torch.mul, columns, one), expr.dtype)
        case "any":
            return terms.table(terms.values, False).any(1)
        case "all":
            return terms.table(terms.values, True).all(1)
        case "argmax" | "argmin":
            return _place(terms, expr.op == "argmax")[0] if terms.width else torch.zeros(points.count, dtype=torch.int64)
    return _extremum(terms, expr)


def _terms(evaluation: Evaluation, expr: Reduce, points: Points) -> Terms:
    extents = {a.name: evaluation.integer(a.extent) for a in expr.axes}
    width = prod(extents.values())
    inner = points.crossed(extents)
    kept = evaluation.holds(expr.where, inner)
    values = spread(evaluation.value(expr.body, inner.at(kept)), len(kept))
    return Terms(values, kept // max(width, 1), kept % max(width, 1), points.count, width)


def _place(terms: Terms, largest: bool) -> tuple[Tensor, Tensor]:
    """The column of the first extremum of each row, and whether the row has a term."""
    is_term = terms.table(torch.ones(len(terms.rows), dtype=torch.bool), False)
    values = terms.table(terms.values.detach(), 0)
    if values.is_floating_point():
        is_nan = is_term & values.isnan()
        values = torch.where(is_term & ~is_nan, values if largest else -values, -torch.inf)
        best = is_term & (values == values.amax(1, keepdim=True))
        hit = torch.where(is_nan.any(1, keepdim=True), is_nan, best)
    else:
        values = values if largest else ~values  # the order reversed, without an overflow
        values = torch.where(is_term, values, torch.iinfo(torch.int64).min)
        hit = is_term & (values == values.amax(1, keepdim=True))
    columns = torch.where(hit, torch.arange(terms.width), terms.width).amin(1)
    exists = columns < terms.width
    return torch.where(exists, columns, 0), exists


def _extremum(terms: Terms, expr: Reduce) -> Tensor:
    largest = expr.op == "max"
    if is_float(expr.dtype):
        nothing: float | int = -torch.inf if largest else torch.inf
    else:
        nothing = limits(expr.dtype)[0 if largest else 1]
    out = torch.full((terms.count,), nothing, dtype=terms.values.dtype)
    if not terms.width:
        return out
    columns, exists = _place(terms, largest)
    rows = exists.nonzero()[:, 0]
    numbers = terms.table(torch.arange(len(terms.rows)), 0)
    return out.index_put((rows,), terms.values[numbers[rows, columns[rows]]])


def order(evaluation: Evaluation, expr: Order, points: Points) -> Tensor:
    """The places of a stable sort; NaN is greater than every number."""
    rows = Points(points.count, {n: v for n, v in points.indices.items() if n != expr.place.name})
    extent = evaluation.integer(expr.axis.extent)
    inner = rows.crossed({expr.axis.name: extent})
    values = spread(evaluation.value(expr.body, inner), inner.count).detach().reshape(points.count, extent)
    places = torch.sort(values, dim=1, stable=True, descending=expr.descending).indices
    return places.gather(1, points.indices[expr.place.name][:, None])[:, 0]
