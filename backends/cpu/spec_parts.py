"""The parts of a spec: its steps, expressions and accesses."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, TypeVar

from uol.codegen.indexing.affine import affine
from uol.codegen.specs.nodes import Attention, Contract, Fold, KernelSpec, Let, Read, Scatter, Select, Step, Store
from uol.codegen.specs.steps import operands, steps_of
from uol.codegen.specs.traverse import guard_operands, variables, walk
from uol.ir.program.nodes import Expr

S = TypeVar("S", bound=KernelSpec)


def accesses(spec: KernelSpec) -> Iterator[Read | Store]:
    """Every read and store of a spec."""
    for expr in expressions(spec):
        yield from (node for node in walk(expr) if isinstance(node, Read))
    yield from (step for step in steps_of(spec) if isinstance(step, Store))


def expressions(spec: KernelSpec) -> Iterator[Expr]:
    """Every value and condition of a spec, and the offsets of stores that are not affine."""
    if isinstance(spec, Contract):
        yield from operands(spec)
    if isinstance(spec, Attention):
        yield from (factor for dot in spec.dots for factor in (dot.a, dot.b))
        yield from (total.value for total in spec.sums)
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
    """The spec with every step, and the factors of its products, replaced."""
    changed: dict[str, Any] = {}
    if isinstance(spec, Contract):
        changed = {"a": value(spec.a), "b": value(spec.b), "epilogue": tuple(step(s) for s in spec.epilogue)}
        if spec.segments is not None:
            changed["segments"] = replace(spec.segments, key=value(spec.segments.key))
    elif isinstance(spec, Attention):
        changed = {
            "dots": tuple(replace(d, a=value(d.a), b=value(d.b)) for d in spec.dots),
            "steps": tuple(step(s) for s in spec.steps),
            "sums": tuple(replace(t, value=value(t.value)) for t in spec.sums),
            "epilogue": tuple(step(s) for s in spec.epilogue),
        }
    elif isinstance(spec, Select):
        changed = {"key": value(spec.key), "steps": tuple(step(s) for s in spec.steps)}
    else:
        changed = {"steps": tuple(step(s) for s in steps_of(spec))}
    return replace(spec, **changed)


def split_lets(steps: tuple[Step, ...], varying: set[str]) -> tuple[tuple[Step, ...], tuple[Step, ...]]:
    """The lets that depend on none of the varying axes, and all other steps."""
    hoisted: list[Step] = []
    rest: list[Step] = []
    late = set(varying)
    for step in steps:
        if isinstance(step, Let) and not (set(step.axes) | variables(step.value)) & late:
            hoisted.append(step)
            continue
        rest.append(step)
        if isinstance(step, Let):
            late.add(step.name)
    return tuple(hoisted), tuple(rest)
