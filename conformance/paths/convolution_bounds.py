"""What a contract admits of a convolution and of its gradients, around PyTorch's values in float64, without the text's golden
value: `error_analysis.enclose` reads every window of every pixel, which at a stride takes half a minute for one layer.

    sum of K terms a * b      |error| <= growth * K * sum |a| * |b|  +  sum (r_a * |b| + |a| * r_b),     then rounded to f32

with r the radius of a factor that a machine may flush. Every result here is linear in either factor, so that the sums of
magnitudes, of squares and of radii are the same convolution of other numbers. A test holds that all of it is what `enclose`
admits.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

import numpy as np

from uol.codegen.indexing.arithmetic import static
from uol.conformance.accuracy.contraction import as_factor, sum_of
from uol.conformance.accuracy.contracts import NARROW, Contract
from uol.conformance.accuracy.interval import Array, Enclosure, Floats, flushed_sums, hull, point, rounded
from uol.conformance.accuracy.reductions import Size, granules, spread, sums_exactly
from uol.conformance.cases.verdict import Case
from uol.ir.program.nodes import Program, Reduce
from uol.ir.program.walk import walk
from uol.ir.types import DTYPES
from uol.ops.references import reference

Results = Mapping[str, Array]
FACTORS: Mapping[str, tuple[tuple[str, int], tuple[str, int]]] = {
    "y": (("x", 0), ("w", 0)),
    "dx": (("dy", 0), ("w", 1)),
    "dw": (("dy", 1), ("x", 1)),
}
"""The factors of each result, each with the dim that it has in common with the result and does not sum over."""


@dataclass(frozen=True, slots=True)
class Sums:
    """Of every result: PyTorch's value; sums of the terms' magnitudes and squares; how many terms there are; whether every
    order of the sum is exact."""

    value: Results
    magnitude: Results
    squares: Results
    terms: Mapping[str, int]
    exact: Mapping[str, Array]


def sums_of(case: Case, program: Program, values: Results) -> Sums:
    """Raises UolError for an operator without a reference."""
    names = [t.name for t in program.by_role("out")]
    forms = (np.asarray, np.abs, np.square)
    value, magnitude, squares = (_computed(case, names, {n: of(v) for n, v in values.items()}) for of in forms)
    exact = {name: _is_exact(name, values, magnitude[name]) for name in names}
    return Sums(value, magnitude, squares, {name: _terms(program, name) for name in names}, exact)


def admitted(case: Case, program: Program, values: Results, sums: Sums, owed: Contract) -> dict[str, Enclosure]:
    """What is admitted of every result before its last cast."""
    dtype = program.by_role("in")[0].dtype
    wide = DTYPES[dtype].accumulator
    inherited = _inherited(case, dtype, list(sums.value), values, owed)
    growth = owed.error_of(sum_of(dtype if dtype in NARROW else ""), wide)
    found = {}
    for name, value in sums.value.items():
        size = Size(sums.magnitude[name], value, sums.squares[name])
        error = spread(growth, sums.terms[name], size, wide) + inherited.get(name, 0.0)
        error = np.where(sums.exact[name], 0.0, error)
        whole = hull(value, value - error, value + error)
        if dtype in owed.flushed_products and not sums.exact[name].all():
            whole = flushed_sums(whole, wide, sums.terms[name])
        found[name] = (
            point(value) if sums.exact[name].all() else rounded(whole, wide, owed.arithmetic, flush=owed.flushed_arithmetic)
        )
    return found


def _inherited(case: Case, dtype: str, names: list[str], values: Results, owed: Contract) -> dict[str, Floats]:
    """What results lose by factors that are subnormal, where a machine takes those for zero; nothing where there are none."""
    if dtype not in owed.flushed_products:
        return {}
    radius = {n: np.asarray(_radius(as_factor(point(v), dtype, owed))) for n, v in values.items()}
    if not any(each.any() for each in radius.values()):
        return {}
    size = {n: np.abs(v) for n, v in values.items()}
    first = "dy" if "dy" in values else "x"
    one = _computed(case, names, {**size, first: radius[first]})
    other = _computed(case, names, {**radius, first: size[first]})
    return {name: one[name] + other[name] for name in names}


def _radius(x: Enclosure) -> Floats:
    radius: Floats = np.maximum(x.value - x.low, x.high - x.value)
    return radius


def _computed(case: Case, names: list[str], values: Results) -> Results:
    """The operator's results by PyTorch in float64, of these numbers."""
    return reference(case.op, values, case.workload.attrs, results=names)


def _terms(program: Program, name: str) -> int:
    """Of the sum that a result is."""
    (stage,) = (each for each in program.stages if each.name == name)
    sums = [node for node in walk(stage.value) if isinstance(node, Reduce)]
    return max(prod(static(axis.extent) or 0 for axis in each.axes) for each in sums)


def _is_exact(name: str, values: Results, magnitude: Array) -> Array:
    """Element by element: are all terms multiples of one number of which f32 holds as many as they come to?"""
    grains = []
    for factor, dim in FACTORS[name]:
        rows = np.moveaxis(values[factor], dim, 0)
        grains.append(granules(rows.reshape(len(rows), -1)))
    grain = grains[0][:, None] * grains[1][None, :]
    return sums_exactly(_of_result(name, grain, magnitude.ndim), magnitude, "f32")


def _of_result(name: str, grain: Array, rank: int) -> Array:
    """Of [n, o], [n, c] or [o, c] to the dims of a result."""
    return grain.reshape(*grain.shape, *(1,) * (rank - 2))
