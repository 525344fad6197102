"""Places of extrema that wait in memory take as few bytes as they need: a window has few.

    at[i] = argmax[w < 9](...)   ->   at[i]: i8 = i8(argmax[w < 9](...));  every reader widens it again
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from uol.codegen.indexing.arithmetic import size, static
from uol.codegen.program.unify_axes import plain_indices
from uol.codegen.specs.steps import PICKS
from uol.ir.program.nodes import Call, Const, Expr, Load, Program, Reduce, Stage
from uol.ir.program.walk import loads, map_stage, rewrite, walk
from uol.ir.types import integer_range

NARROW = ("i8", "i32")


def narrow_places(program: Program) -> Program:
    """The same program, where local places that are read at other indices than their own, and are no index, are narrow. What a
    read beyond the tensor gives has room, too."""
    types = {stage.name: dtype for stage in program.stages if (dtype := _narrow(program, stage)) is not None}
    if not types:
        return program
    tensors = {n: replace(t, dtype=types[n]) if n in types else t for n, t in program.tensors.items()}
    return replace(program, tensors=tensors, stages=tuple(_retyped(stage, types) for stage in program.stages))


def _narrow(program: Program, stage: Stage) -> str | None:
    """The type of a stage's places, where they have one of their own."""
    value = stage.value
    if not isinstance(value, Reduce) or value.op not in PICKS or program.tensors[stage.name].role != "local":
        return None
    own = tuple(axis.name for axis in stage.axes)
    reads = [load for other in program.stages for load in loads(other) if load.tensor == stage.name]
    inner = {id(load) for other in program.stages for outer in loads(other) for load in _within(outer)}
    if any(id(load) in inner for load in reads) or all(plain_indices(load) == own and not load.guard for load in reads):
        return None
    places, fills = static(size(value.axes)), [load.fill for load in reads if load.fill is not None]
    if places is None or not all(isinstance(fill, Const) for fill in fills):
        return None
    values = (places - 1, *(fill.value for fill in fills if isinstance(fill, Const)))
    return next((dtype for dtype in NARROW if all(_holds(dtype, value) for value in values)), None)


def _holds(dtype: str, value: float) -> bool:
    low, high = integer_range(dtype)
    return low <= value <= high


def _within(load: Load) -> Iterator[Load]:
    """The accesses in the index of another."""
    return (node for index in load.index for node in walk(index) if isinstance(node, Load))


def _retyped(stage: Stage, types: dict[str, str]) -> Stage:
    def rule(node: Expr) -> Expr | None:
        if not isinstance(node, Load) or node.tensor not in types:
            return None
        dtype = types[node.tensor]
        fill = Const(node.fill.value, dtype) if isinstance(node.fill, Const) else None
        return Call("cast", (replace(node, dtype=dtype, fill=fill),), node.dtype)

    read = map_stage(stage, lambda expr: rewrite(expr, rule))
    if stage.name not in types:
        return read
    dtype = types[stage.name]
    return replace(read, value=Call("cast", (read.value,), dtype), dtype=dtype)
