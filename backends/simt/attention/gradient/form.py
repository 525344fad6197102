"""What a gradient of an attention is that matrix units take: sums of weights that are known without a maximum.

    s = q . k * scale, dp = dy . v     dots of a row and a col
    s = select(seen, s, -inf)
    p = select(s == -inf, 0, exp(s - hi) * z_inv),  ds = p * (dp - delta)
    dq = sum of T(ds) k                weights are rounded to the type of what they multiply

The rows of dq are queries, those of dk and dv are keys.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import inf

from uol.backends.simt.attention.matrix.form import narrow_type, scale_of, unmasked, weight_of
from uol.backends.simt.attention.matrix.seen import Bound, bound_of
from uol.codegen.attention.parts import WidthPart, row_steps, width_parts
from uol.codegen.attention.reach import vanishes
from uol.codegen.specs.nodes import Attention, Dot, Let, Weighted
from uol.codegen.specs.steps import used_variables
from uol.codegen.specs.traverse import reads
from uol.ir.program.nodes import Axis, Call, Const, Expr, Var
from uol.ir.program.walk import variables


@dataclass(frozen=True, slots=True)
class Form:
    """`weights`: of each sum the value that its weight is before it is rounded; `steps`: the lets but for those that round.
    `score`: the value that is -inf where a row does not see a col, `conditions`: what is asked for that, `seen`: the score
    where it is seen. `masked`: the dot that may be made -inf in place of the score, which is a multiple of it; None where the
    score is anything else."""

    dots: tuple[Dot, ...]
    sums: tuple[Weighted, ...]
    weights: Mapping[str, str]
    steps: tuple[Let, ...]
    parts: tuple[WidthPart, ...]
    score: str
    seen: Expr
    conditions: tuple[Expr, ...]
    masked: Dot | None
    dtype: str

    def with_conditions(self, conditions: tuple[Expr, ...]) -> tuple[Let, ...]:
        """The steps where of all conditions these alone are asked."""
        value = self.seen
        for condition in conditions:
            value = Call("select", (condition, value, Const(-inf, value.type)), value.type)
        return tuple(replace(step, value=value) if step.name == self.score else step for step in self.steps)


def form_of(spec: Attention) -> Form | None:
    """The form of an attention whose last axis of rows is apart; None of one that is not of it."""
    lets = {step.name: step for step in spec.steps if isinstance(step, Let)}
    accumulated = {each.dtype for each in spec.dots} | {each.dtype for each in spec.sums}
    if len(lets) != len(spec.steps) or accumulated != {"f32"}:
        return None
    factors = [factor for dot in spec.dots for factor in (dot.a, dot.b)] + [each.value for each in spec.sums]
    dtype = narrow_type(factors)
    if dtype is None or any(step.dtype != "f32" for step in lets.values()):
        return None
    weights = {each.weight: weight_of(each.weight, dtype, lets) for each in spec.sums}
    known = {name: weight for name, weight in weights.items() if weight is not None}
    steps = tuple(step for step in lets.values() if step.name not in weights)
    parts = width_parts(spec)
    if len(known) < len(weights) or used_variables(steps) & set(weights) or not _are_apart(spec, parts):
        return None
    values = {name: step.value for name, step in lets.items()}
    for name in (*(dot.name for dot in spec.dots), *(step.name for step in steps)):
        if all(vanishes(values[weight], Var(name, "f32"), values) for weight in known.values()):
            seen, conditions, masked = _score(spec, name, lets)
            return Form(spec.dots, spec.sums, known, steps, parts, name, seen, conditions, masked, dtype)
    return None


def _are_apart(spec: Attention, parts: tuple[WidthPart, ...]) -> bool:
    """Is each sum over a width of its own, with steps that use that alone?"""
    names = {each.name for each in spec.sums}
    alone = all(len(part.sums) == 1 and used_variables(part.steps) & names <= {part.sums[0].name} for part in parts)
    return alone and not row_steps(spec)


def _score(spec: Attention, name: str, lets: Mapping[str, Let]) -> tuple[Expr, tuple[Expr, ...], Dot | None]:
    """A score where it is seen, what is asked for that, and the dot that it is a multiple of."""
    dots = {dot.name: dot for dot in spec.dots}
    if name in dots:
        return Const(0.0, "f32"), (), dots[name]
    seen, conditions = unmasked(lets[name].value)
    dot = next((dot for dot in dots.values() if dot.name in variables(seen)), None)
    scale = (None, None) if dot is None else scale_of(seen, dot)
    return seen, conditions, None if scale == (None, None) else dot


def bounds_of(form: Form, row: Axis, cols: tuple[Axis, ...]) -> tuple[tuple[Bound, ...], tuple[Expr, ...]]:
    """Conditions that end, or begin, the cols of a row, later for later rows; and all others."""
    bounds, others = [], []
    outer = {axis.name for axis in cols[:-1]}
    for condition in form.conditions:
        bound = None if any(True for _ in reads(condition)) else bound_of(condition, row, cols[-1])
        if bound is None or variables(condition) & outer:
            others.append(condition)
        else:
            bounds.append(bound)
    return tuple(bounds), tuple(others)
