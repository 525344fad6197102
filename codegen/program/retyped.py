"""Local tensors in a narrower type that holds all that they are: every reader widens what it reads again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from uol.ir.program.nodes import Call, Const, Expr, Load, Program, Stage
from uol.ir.program.walk import map_stage, rewrite


def retyped(program: Program, types: Mapping[str, str]) -> Program:
    """The program with these types of its local tensors, by name. What is read beyond one is a constant that the type holds."""
    if not types:
        return program
    tensors = {n: replace(t, dtype=types[n]) if n in types else t for n, t in program.tensors.items()}
    return replace(program, tensors=tensors, stages=tuple(_retyped(stage, types) for stage in program.stages))


def _retyped(stage: Stage, types: Mapping[str, str]) -> Stage:
    def rule(node: Expr) -> Expr | None:
        if not isinstance(node, Load) or node.tensor not in types:
            return None
        dtype = types[node.tensor]
        fill = Const(node.fill.value, dtype) if isinstance(node.fill, Const) else None
        inner = node.map_children(lambda child: rewrite(child, rule))
        assert isinstance(inner, Load)
        return Call("cast", (replace(inner, dtype=dtype, fill=fill),), node.dtype)

    read = map_stage(stage, lambda expr: rewrite(expr, rule))
    if stage.name not in types:
        return read
    dtype = types[stage.name]
    return replace(read, value=Call("cast", (read.value,), dtype), dtype=dtype)
