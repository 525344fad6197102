"""Where every tensor of a program lies: strides per logical dim."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from uol.codegen.indexing.arithmetic import dense_strides, physical_order
from uol.ir.errors import ShapeError
from uol.ir.program.nodes import Const, Expr, Program, Scatter, Stage

Layouts = Mapping[str, Sequence[int]]
"""Element strides by tensor name; a tensor that is not named is row-major."""


def assign_strides(program: Program, layouts: Layouts) -> dict[str, tuple[Expr, ...]]:
    """Strides of inputs and results as given, of the tensors between kernels in the order of the result that has
    their axes: a channels-last result keeps its intermediates channels-last."""
    strides: dict[str, tuple[Expr, ...]] = {}
    for name, tensor in program.tensors.items():
        if tensor.role == "local":
            continue
        given = layouts.get(name)
        if given is not None and len(given) != len(tensor.shape):
            raise ShapeError(f"{name} has {len(tensor.shape)} dims, its layout {len(given)} strides")
        strides[name] = dense_strides(tensor.shape) if given is None else tuple(Const(s) for s in given)
    ranks = _axis_ranks(program, strides)
    for stage in program.stages:
        if stage.name not in strides:
            shape = program.tensors[stage.name].shape
            order = None if isinstance(stage, Scatter) else _ranked_order(stage, ranks)
            strides[stage.name] = dense_strides(shape, order)
    return strides


def _axis_ranks(program: Program, strides: Mapping[str, tuple[Expr, ...]]) -> dict[str, int]:
    """The physical place of every axis of the first result with the most dims."""
    results = [s for s in program.stages if program.tensors[s.name].role == "out" and not isinstance(s, Scatter)]
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
