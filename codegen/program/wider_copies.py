"""Statements that only copy into a wider type: who reads one elsewhere than at its own indices would find it in memory, twice
as large as what it copies, which is read there instead.

    a[n, c, s]  = f32(x[n, c, s])
    mu[n, g]    = sum[d, s](a[n, g * 8 + d, s])    reads f32(x[n, g * 8 + d, s])
"""

from __future__ import annotations

from dataclasses import replace

from uol.codegen.program.unify_axes import plain_indices
from uol.ir.program.nodes import Call, Const, Expr, Load, Program, Stage, Var
from uol.ir.program.walk import loads, map_stage, rewrite
from uol.ir.types import DTYPES, is_float


def drop_wider_copies(program: Program) -> Program:
    """The same program without local statements that copy a tensor into a wider float, where not all reads are at plain
    indices."""
    for stage in program.stages:
        source = _copied(stage)
        if source is None or program.tensors[stage.name].role != "local":
            continue
        reads = [load for other in program.stages for load in loads(other) if load.tensor == stage.name]
        if all(plain_indices(load) is not None for load in reads) or not all(_may_move(load) for load in reads):
            continue
        tensors = {name: tensor for name, tensor in program.tensors.items() if name != stage.name}
        rest = tuple(_reading(other, stage, source) for other in program.stages if other is not stage)
        return drop_wider_copies(replace(program, tensors=tensors, stages=rest))
    return program


def _copied(stage: Stage) -> Load | None:
    """What a statement copies, element by element, into a wider type."""
    match stage.value:
        case Call(fn="cast", args=(Load(index=index, guard=()) as load,), dtype=dtype) if type(stage) is Stage:
            is_whole = index == tuple(Var(axis.name) for axis in stage.axes)
            is_wider = is_float(load.dtype) and is_float(dtype) and DTYPES[load.dtype].bytes < DTYPES[dtype].bytes
            return load if is_whole and is_wider and stage.dtype == dtype else None
    return None


def _may_move(load: Load) -> bool:
    """Is what stands for a read outside the tensor the same in the narrower type?"""
    return load.fill is None or (isinstance(load.fill, Const) and load.fill.value in (0, 1))


def _reading(stage: Stage, copy: Stage, source: Load) -> Stage:
    """The statement with reads of the source, which are cast, in place of those of its copy."""

    def rule(node: Expr) -> Expr | None:
        if not isinstance(node, Load) or node.tensor != copy.name:
            return None
        inner = node.map_children(lambda child: rewrite(child, rule))
        assert isinstance(inner, Load)
        fill = None if inner.fill is None else Const(_value(inner.fill), source.dtype)
        return Call("cast", (replace(inner, tensor=source.tensor, dtype=source.dtype, fill=fill),), copy.dtype)

    return map_stage(stage, lambda expr: rewrite(expr, rule))


def _value(fill: Expr) -> float:
    assert isinstance(fill, Const)
    return float(fill.value)
