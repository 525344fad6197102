"""Dims of one element that a statement does not use: what a reduction that keeps its dims gives.

    m[r, i] = T(s[r])                  where i has one value:  m[r] = T(s[r])
    y[r, c] = x[r, c] - m[r, 0]        reads it as m[r]

The tensor lies in memory as it did. Without the dim the statement is one over rows, and joins the kernel of those.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from uol.codegen.indexing.arithmetic import ONE
from uol.ir.program.nodes import Expr, Load, Program, Stage
from uol.ir.program.walk import map_stage, rewrite, stage_expressions, variables

Kept = Mapping[str, tuple[int, ...]]
"""The dims that stay, of each tensor that loses some."""
D = TypeVar("D")


def kept_dims(program: Program) -> Kept:
    """The dims that stay, of each tensor of which some have one element and do not occur in the statement that makes it."""
    found: dict[str, tuple[int, ...]] = {}
    for stage in program.stages:
        if type(stage) is Stage:
            used = frozenset().union(*map(variables, stage_expressions(stage)))
            kept = tuple(d for d, axis in enumerate(stage.axes) if axis.extent != ONE or axis.name in used)
            if len(kept) < len(stage.axes):
                found[stage.name] = kept
    return found


def without_dims(program: Program, kept: Kept) -> Program:
    """The same program with the dims of `kept` alone in the tensors that it names."""
    tensors = {name: replace(t, shape=picked(t.shape, kept.get(name))) for name, t in program.tensors.items()}
    return replace(program, tensors=tensors, stages=tuple(_without(stage, kept) for stage in program.stages))


def picked(of_dims: Sequence[D], kept: Sequence[int] | None) -> tuple[D, ...]:
    """What belongs to the dims that stay; all of it where None lose any."""
    return tuple(of_dims) if kept is None else tuple(of_dims[d] for d in kept)


def _without(stage: Stage, kept: Kept) -> Stage:
    def rule(node: Expr) -> Expr | None:
        if not (isinstance(node, Load) and node.tensor in kept):
            return None
        inner = node.map_children(lambda child: rewrite(child, rule))
        assert isinstance(inner, Load)
        return replace(inner, index=picked(inner.index, kept[node.tensor]))

    read = map_stage(stage, lambda expr: rewrite(expr, rule))
    return replace(read, axes=picked(read.axes, kept[stage.name])) if stage.name in kept else read
