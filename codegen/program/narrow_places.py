"""Places of extrema that wait in memory take as few bytes as they need: a window has few.

    at[i] = argmax[w < 9](...)   ->   at[i]: i8 = i8(argmax[w < 9](...));  every reader widens it again
"""

from __future__ import annotations

from collections.abc import Iterator

from uol.codegen.indexing.arithmetic import size, static
from uol.codegen.program.retyped import retyped
from uol.codegen.program.unify_axes import plain_indices
from uol.codegen.specs.steps import PICKS
from uol.ir.program.nodes import Const, Load, Program, Reduce, Stage
from uol.ir.program.walk import loads, walk
from uol.ir.types import integer_range

NARROW = ("i8", "i32")


def narrow_places(program: Program) -> Program:
    """The same program, where local places that are read at other indices than their own, and are no index, are narrow. What a
    read beyond the tensor gives has room, too."""
    return retyped(program, {s.name: dtype for s in program.stages if (dtype := _narrow(program, s)) is not None})


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
