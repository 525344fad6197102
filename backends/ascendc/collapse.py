"""The axes of a spec by what they are for, and the values that it computes."""

from __future__ import annotations

from collections.abc import Iterator

from uol.codegen.specs.nodes import Contract, Fold, KernelSpec, Map, Pack, Reduce, Step
from uol.codegen.specs.steps import steps_of
from uol.ir.program.nodes import Axis, Expr


def groups(spec: KernelSpec) -> tuple[tuple[Axis, ...], ...]:
    """The axes of a spec, by what they are for; only axes of one group may merge."""
    match spec:
        case Map(index=index) | Pack(index=index):
            return (index,)
        case Reduce(rows=rows, cols=cols):
            return (rows, cols)
        case Contract(batch=batch, m=m, n=n, k=k):
            return (batch, m, n, k)
    return ()


def values_of(step: Step) -> tuple[Expr, ...]:
    """The values that a step computes, without the offset that a store writes to."""
    return (step.value, *step.where) if isinstance(step, Fold) else (step.value,)


def values(spec: KernelSpec) -> Iterator[Expr]:
    """Every value expression of a spec."""
    if isinstance(spec, Contract):
        yield from (spec.a, spec.b)
    for step in steps_of(spec):
        yield from values_of(step)
