"""Statements that no result depends on."""

from __future__ import annotations

from dataclasses import replace

from uol.codegen.traverse import walk
from uol.ir.nodes import Load, Program, Scatter, Stage


def drop_unused(program: Program) -> Program:
    """The same program with the stages that results are computed from, and no others."""
    needed = {t.name for t in program.by_role("out")}
    kept: list[Stage] = []
    for stage in reversed(program.stages):
        if stage.name in needed:
            kept.append(stage)
            parts = (stage.value, *stage.target, *stage.guard) if isinstance(stage, Scatter) else (stage.value,)
            needed |= {node.tensor for part in parts for node in walk(part) if isinstance(node, Load)}
    return replace(program, stages=tuple(reversed(kept)))
