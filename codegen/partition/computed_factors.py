"""Statements that a product computes as it loads its factors: where what they read is narrower than what they would store.

    w[n, k] = f32(q[n, k]) * scale[n];  y[m, n] = sum[k](x[m, k] * w[n, k])     int8 weights stay int8 in memory
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from uol.codegen.program.unify_axes import plain_indices
from uol.codegen.work import SPECIAL
from uol.ir.program.nodes import Call, Expr, Load, Program, Stage
from uol.ir.program.walk import loads, rewrite, variables, walk
from uol.ir.types import DTYPES


def with_factors(stage: Stage, floating: Mapping[str, Stage], program: Program) -> Stage:
    """A sum of products with such statements in place of what they give: floating ones that nothing else reads, that take no
    special function, and read fewer bytes for each element than they would store."""

    def rule(node: Expr) -> Expr | None:
        made = _made(node, floating, program)
        if made is None or not isinstance(node, Load):
            return None
        return made if _is_cheap(made, floating[node.tensor], program) else None

    return replace(stage, value=rewrite(stage.value, rule))


def _made(node: Expr, floating: Mapping[str, Stage], program: Program) -> Expr | None:
    """What a load of a floating statement gives, which nothing else reads, in terms of what is in memory."""
    if not isinstance(node, Load) or node.tensor not in floating or node.guard:
        return None
    stage = floating[node.tensor]
    if plain_indices(node) != tuple(axis.name for axis in stage.axes) or not _is_read_once(stage, program):
        return None
    return rewrite(stage.value, lambda inner: _made(inner, floating, program))


def _is_read_once(stage: Stage, program: Program) -> bool:
    """Does one statement read what another one gives, once, and no caller?"""
    found = [load for other in program.stages for load in loads(other) if load.tensor == stage.name]
    return len(found) == 1 and program.tensors[stage.name].role == "local"


def _is_cheap(made: Expr, stage: Stage, program: Program) -> bool:
    nodes = list(walk(made))
    if any(isinstance(node, Call) and node.fn in SPECIAL for node in nodes):
        return False
    axes = {axis.name for axis in stage.axes}
    whole = {n.tensor for n in nodes if isinstance(n, Load) and axes <= frozenset().union(*map(variables, n.index))}
    return sum(DTYPES[program.tensors[name].dtype].bytes for name in whole) < DTYPES[stage.dtype].bytes
