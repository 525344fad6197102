"""Sums over cols of a weight of row and col times a value of col and width: what an attention ends in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from uol.codegen.indexing.arithmetic import ONE, ZERO
from uol.codegen.partition.contraction import factors, split_groups
from uol.ir.integers.facts import Facts
from uol.ir.integers.terms import in_range
from uol.ir.program.nodes import Axis, Call, Expr, Load, Reduce, Scatter, Stage
from uol.ir.program.walk import rewrite, substitute, variables
from uol.ir.types import INDEX, is_float


@dataclass(frozen=True, slots=True)
class WeightedSum:
    """A stage as a sum of weights over cols, by the axes that the factors see. `weight` may be of a narrower type than the
    sum."""

    weight: Load
    value: Expr
    batch: tuple[Axis, ...]
    rows: tuple[Axis, ...]
    cols: tuple[Axis, ...]
    width: tuple[Axis, ...]
    split: Mapping[str, Expr]


def weighted_sums(stage: Stage, taken: frozenset[str]) -> Iterator[WeightedSum]:
    """The ways to read the stage so: either factor may be the weight."""
    total = stage.value
    if not isinstance(total, Reduce) or isinstance(stage, Scatter) or total.op != "sum" or total.where:
        return
    product = factors(total.body, gathers=True, guarded_by_data=True)
    if product is None:
        return
    axes, split = split_groups(stage.axes, product, taken)
    cols = tuple(a for a in total.axes if a.extent != ONE) or total.axes
    alone = {a.name: ZERO for a in total.axes if a not in cols}  # the one head of a key that no other shares
    for weight, value in (product, product[::-1]):
        weight = _narrow(weight)
        if not isinstance(weight, Load) or weight.guard:
            continue
        facts = Facts(bound for a in (*axes, *total.axes) for bound in in_range(a))
        weight, value = (simplified(substitute(f, {**split, **alone}), facts) for f in (weight, value))
        assert isinstance(weight, Load)
        seen, other = variables(weight), variables(value)
        batch = tuple(a for a in axes if a.name in seen & other)
        rows = tuple(a for a in axes if a.name in seen - other)
        width = tuple(a for a in axes if a.name in other - seen)
        known = {a.name for a in cols} <= seen & other and {a.name for a in axes} <= seen | other
        if rows and width and cols and known:
            yield WeightedSum(weight, value, batch, rows, cols, width, split)


def _narrow(weight: Expr) -> Expr:
    """What a weight is widened from: it may be rounded to the type of the values."""
    match weight:
        case Call(fn="cast", args=(Load() as load,), dtype=dtype) if is_float(dtype) and is_float(load.type):
            return load
    return weight


def simplified(expr: Expr, facts: Facts) -> Expr:
    """With quotients of indices in their simplest form: (g*2 + t) / 2 is g; and g + 0 is g."""

    def rule(node: Expr) -> Expr | None:
        match node:
            case Call(fn="+", args=(left, right), dtype="idx") if right == ZERO:
                return simplified(left, facts)
        return facts.simplify(node) if isinstance(node, Call) and node.fn in ("/", "%") and node.dtype == INDEX else None

    return rewrite(expr, rule)
