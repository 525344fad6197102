"""Where the elements of tensors lie: strides as they are given, and of what lies between kernels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from uol.codegen.indexing.arithmetic import dense_strides, physical_order, static
from uol.ir.errors import ShapeError
from uol.ir.program import nodes
from uol.ir.program.nodes import Const, Expr, Load, Program, Stage
from uol.ir.program.walk import stage_expressions, variables, walk

Layouts = Mapping[str, Sequence[int]]
"""Element strides by tensor name; a tensor that is not named is row-major."""


def assign_strides(program: Program, layouts: Layouts) -> dict[str, tuple[Expr, ...]]:
    """Strides of inputs and results as given, of the tensors between kernels in the order of the result that has
    their axes: a channels-last result keeps its intermediates channels-last."""
    strides = given_strides(program, layouts)
    ranks = _axis_ranks(program, strides)
    for stage in program.stages:
        if stage.name not in strides:
            shape = program.tensors[stage.name].shape
            is_scatter = isinstance(stage, nodes.Scatter)
            order = None if is_scatter else _ranked_order(stage, ranks) or _order_read(stage, program, strides)
            strides[stage.name] = dense_strides(shape, order)
        if isinstance(stage, nodes.Put):
            strides.setdefault(stage.into, dense_strides(program.tensors[stage.into].shape))
    return strides


def given_strides(program: Program, layouts: Layouts) -> dict[str, tuple[Expr, ...]]:
    """Strides of inputs and results. Raises ShapeError for a layout of other than a tensor's number of dims."""
    strides: dict[str, tuple[Expr, ...]] = {}
    for name, tensor in program.tensors.items():
        if tensor.role == "local":
            continue
        given = layouts.get(name)
        if given is not None and len(given) != len(tensor.shape):
            raise ShapeError(f"{name} has {len(tensor.shape)} dims, its layout {len(given)} strides")
        strides[name] = dense_strides(tensor.shape) if given is None else tuple(Const(s) for s in given)
    return strides


def _axis_ranks(program: Program, strides: Mapping[str, tuple[Expr, ...]]) -> dict[str, int]:
    """The physical place of every axis of the first result with the most dims."""
    results = [s for s in program.stages if program.tensors[s.name].role == "out" and not isinstance(s, nodes.Scatter)]
    if not results:
        return {}
    widest = max(results, key=lambda s: len(s.axes))
    order = physical_order(program.tensors[widest.name].shape, strides[widest.name])
    return {widest.axes[dim].name: place for place, dim in enumerate(order)}


def _ranked_order(stage: Stage, ranks: Mapping[str, int]) -> tuple[int, ...] | None:
    names = [a.name for a in stage.axes]
    if not all(name in ranks for name in names):
        return None
    return tuple(sorted(range(len(names)), key=lambda dim: ranks[names[dim]]))


def _order_read(stage: Stage, program: Program, strides: Mapping[str, tuple[Expr, ...]]) -> tuple[int, ...] | None:
    """The order in which the dims of a tensor lie that the stage reads, each at one axis of its own beside bound ones: windows
    over a channels-last image. One that is computed comes before an input, whose order its producer, perhaps a contraction
    of the same kernel, does not know; one that is broadcast, with a stride of 0, has no order. None where it reads no such
    tensor."""
    names = [a.name for a in stage.axes]
    extents = [a.extent for a in stage.axes]
    loads = [load for expr in stage_expressions(stage) for load in walk(expr) if isinstance(load, Load)]
    for load in sorted(loads, key=lambda load: program.tensors[load.tensor].role != "local"):
        at = [[n for n in names if n in variables(index)] for index in load.index]
        if at != [[name] for name in names] or load.tensor not in strides:
            continue
        if not any(static(s) == 0 and static(n) != 1 for s, n in zip(strides[load.tensor], extents, strict=True)):
            return physical_order(extents, strides[load.tensor])
    return None
