"""Statements that only copy: what `acc(x)` is of an f32, and the last statement of many a gradient.

    a[n, c] = x[n, c]              whoever reads a reads x
    s[n, t[n]] += v[n]             the result is what is added to, where nobody else reads s
    y[n, c] = s[n, c]
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from uol.ir.program.nodes import Expr, Load, Program, Stage, Tensor, Var
from uol.ir.program.walk import map_stage, rewrite, stage_expressions, walk


def drop_copies(program: Program) -> Program:
    """The same program without statements that copy a tensor of the same shape and type as it is."""
    for stage in program.stages:
        source = _copied(stage, program.tensors)
        if source is None:
            continue
        if program.tensors[stage.name].role == "local":
            return drop_copies(_renamed(_without(program, stage), stage.name, source.name))
        made = next((s for s in program.stages if s.name == source.name), None)
        if source.role == "local" and made is not None and _readers(program, source.name) == [stage.name]:
            return drop_copies(_made_in_place(program, stage, made))
    return program


def _copied(stage: Stage, tensors: Mapping[str, Tensor]) -> Tensor | None:
    """The tensor that a statement copies."""
    match stage.value:
        case Load(tensor=name, index=index, guard=()) if type(stage) is Stage and name in tensors:
            source, target = tensors[name], tensors[stage.name]
            is_whole = index == tuple(Var(a.name) for a in stage.axes)
            if is_whole and (source.shape, source.dtype) == (target.shape, stage.dtype):
                return source
    return None


def _readers(program: Program, name: str) -> list[str]:
    """The statements that read a tensor."""
    return [s.name for s in program.stages if any(_reads(part, name) for part in stage_expressions(s))]


def _reads(expr: Expr, name: str) -> bool:
    return any(isinstance(node, Load) and node.tensor == name for node in walk(expr))


def _without(program: Program, gone: Stage) -> Program:
    tensors = {name: tensor for name, tensor in program.tensors.items() if name != gone.name}
    return replace(program, tensors=tensors, stages=tuple(s for s in program.stages if s is not gone))


def _renamed(program: Program, name: str, by: str) -> Program:
    """Every read of one tensor as one of another."""

    def rule(node: Expr) -> Expr | None:
        if not (isinstance(node, Load) and node.tensor == name):
            return None
        return replace(node.map_children(lambda child: rewrite(child, rule)), tensor=by)

    return replace(program, stages=tuple(map_stage(s, lambda expr: rewrite(expr, rule)) for s in program.stages))


def _made_in_place(program: Program, copy: Stage, made: Stage) -> Program:
    """The result made by the statement that made what it is a copy of."""
    rest = _without(_without(program, made), copy)
    stages = [replace(made, name=copy.name) if s is made else s for s in program.stages if s is not copy]
    return replace(rest, tensors={**rest.tensors, copy.name: program.tensors[copy.name]}, stages=tuple(stages))
