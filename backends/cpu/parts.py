"""The parts of a spec: its steps, expressions and accesses."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, TypeVar

from uol.codegen.index import affine
from uol.codegen.spec import Contract, Fold, KernelSpec, Read, Scatter, Select, Step, Store
from uol.codegen.steps import factors, steps_of
from uol.codegen.traverse import guard_operands, walk
from uol.ir.nodes import Expr

S = TypeVar("S", bound=KernelSpec)


def coefficient(offset: Expr, axis: str) -> int:
    """The constant stride of an affine offset along an axis."""
    form = affine(offset)
    assert form is not None
    return form.coefficient(axis)


def accesses(spec: KernelSpec) -> Iterator[Read | Store]:
    """Every read and store of a spec."""
    for expr in expressions(spec):
        yield from (node for node in walk(expr) if isinstance(node, Read))
    yield from (step for step in steps_of(spec) if isinstance(step, Store))


def expressions(spec: KernelSpec) -> Iterator[Expr]:
    """Every value and condition of a spec, and the offsets of stores that are not affine."""
    if isinstance(spec, Contract):
        yield from factors(spec)
    if isinstance(spec, Select):
        yield spec.key
    if isinstance(spec, Scatter):
        yield from (*spec.place, *guard_operands(spec.guard))
    for step in steps_of(spec):
        yield step.value
        if isinstance(step, Fold):
            yield from step.where
        if isinstance(step, Store) and affine(step.offset) is None:
            yield step.offset


def with_expressions(spec: S, value: Callable[[Expr], Expr], step: Callable[[Step], Step]) -> S:
    """The spec with every step, and a contraction's factors, replaced."""
    changed: dict[str, Any] = {}
    if isinstance(spec, Contract):
        changed = {"a": value(spec.a), "b": value(spec.b), "epilogue": tuple(step(s) for s in spec.epilogue)}
        if spec.segments is not None:
            changed["segments"] = replace(spec.segments, key=value(spec.segments.key))
    elif isinstance(spec, Select):
        changed = {"key": value(spec.key), "steps": tuple(step(s) for s in spec.steps)}
    else:
        changed = {"steps": tuple(step(s) for s in steps_of(spec))}
    return replace(spec, **changed)
