"""Statements that no result depends on."""

from __future__ import annotations

from dataclasses import replace

from uol.ir.program.nodes import Load, Program, Stage
from uol.ir.program.walk import stage_expressions, stored, walk


def drop_unused(program: Program) -> Program:
    """The same program with the stages that results are computed from, and no others."""
    needed = {t.name for t in program.by_role("out")}
    kept: list[Stage] = []
    for stage in reversed(program.stages):
        if not needed.isdisjoint((stage.name, stored(stage))):
            kept.append(stage)
            needed |= {node.tensor for part in stage_expressions(stage) for node in walk(part) if isinstance(node, Load)}
    return replace(program, stages=tuple(reversed(kept)))
