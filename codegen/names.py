"""Names that code generation makes up: none is one that the program has."""

from __future__ import annotations

from collections.abc import Iterable

from uol.ir.program.nodes import Axis, Program, Stage
from uol.ir.program.walk import axes_of, stage_expressions, walk


def taken_names(program: Program) -> frozenset[str]:
    """Every tensor, attribute, dim and index of a program."""
    axes = (a.name for s in program.stages for a in (*s.axes, *bound_axes(s)))
    return frozenset((*program.tensors, *(s.name for s in program.scalars), *program.dims, *axes))


def bound_axes(stage: Stage) -> tuple[Axis, ...]:
    """The indices that reductions and sorts of a stage run over."""
    return tuple(a for part in stage_expressions(stage) for node in walk(part) for a in axes_of(node))


def unused(stem: str, taken: Iterable[str]) -> str:
    """The stem, numbered from 2 where it is taken.

    >>> unused("y_sum", {"y_sum"})
    'y_sum2'
    """
    known = frozenset(taken)
    name, number = stem, 1
    while name in known:
        number += 1
        name = f"{stem}{number}"
    return name
