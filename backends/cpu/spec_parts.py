"""The parts of a spec: its accesses, and its steps by what they vary with."""

from __future__ import annotations

from collections.abc import Iterator

from uol.codegen.specs.nodes import KernelSpec, Let, Read, Step, Store, reads
from uol.codegen.specs.steps import expressions, steps_of
from uol.codegen.specs.traverse import variables


def accesses(spec: KernelSpec) -> Iterator[Read | Store]:
    """Every read and store of a spec."""
    for expr in expressions(spec):
        yield from reads(expr)
    yield from (step for step in steps_of(spec) if isinstance(step, Store))


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
