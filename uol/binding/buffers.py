"""The arrays of a call as kernels take them: inputs that fit, results to be filled, and the sizes that are arguments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from uol.binding.arrays import Array, empty_result, require_fit, require_type
from uol.binding.instance import Instance
from uol.binding.layouts import row_major
from uol.binding.open_instance import OpenInstance
from uol.codegen.indexing.dim_values import over_dims, value_at
from uol.codegen.specs.expression_text import expr_text
from uol.codegen.specs.nodes import Arg, KernelGraph
from uol.ir.errors import ShapeError
from uol.ir.program.dtype_encoding import require_dims
from uol.ir.program.nodes import Const, Expr


@dataclass(frozen=True, slots=True)
class Buffers:
    """`inputs` in order, `results` by name, `sizes` of the dims that kernels take as arguments, in order."""

    inputs: tuple[Array, ...]
    results: Mapping[str, Array]
    sizes: tuple[int, ...]


def buffers_of(instance: Instance | OpenInstance, graph: KernelGraph, arrays: Mapping[str, Array]) -> Buffers:
    """`arrays`: the inputs by name, in order. Raises ShapeError for those that the kernels were not made for."""
    inputs = [a for a in graph.args if a.role == "in"]
    results = [a for a in graph.args if a.role == "out"]
    for arg in results:
        require_dims(graph.name, arg.name, len(arg.shape))
    if isinstance(instance, OpenInstance):
        return _of_any_size(instance, graph, inputs, results, arrays)
    for arg in inputs:
        require_type(graph.name, arg, arrays[arg.name])
        require_fit(graph.name, arg, arrays[arg.name])
    return Buffers(tuple(arrays.values()), {a.name: empty_result(a) for a in results}, ())


def _of_any_size(
    open_instance: OpenInstance,
    graph: KernelGraph,
    inputs: Sequence[Arg],
    results: Sequence[Arg],
    arrays: Mapping[str, Array],
) -> Buffers:
    for arg in inputs:
        require_type(graph.name, arg, arrays[arg.name])
    instance = open_instance.sized({name: array.shape for name, array in arrays.items()})
    seen = open_instance.seen_by_kernels(instance)
    _require_checks(graph, seen.flat_dims)
    params = {p.name: p for p in (*instance.op.params, *instance.op.results)}
    given = []
    for name, array in arrays.items():
        if not array.flags.c_contiguous:
            raise ShapeError(
                f"{graph.name}: {name} is not row-major, and its strides are no arguments of a kernel with open dims",
                hint=f"write np.ascontiguousarray({name}), or compile for these sizes and strides",
            )
        given.append(array.reshape(seen.shape(params[name])))  # a view
    made = {a.name: empty_result(_sized(a, instance.shape(params[a.name]))) for a in results}
    return Buffers(tuple(given), made, tuple(seen.flat_dims[d] for d in graph.dims))


def _require_checks(graph: KernelGraph, dims: Mapping[str, int]) -> None:
    """What the proofs left over; the `where` clause holds already."""
    for check in over_dims(graph.checks, graph.dims):
        if not value_at(check, dims):
            sizes = ", ".join(f"{name} = {dims[name]}" for name in graph.dims)
            raise ShapeError(f"{graph.name} needs {expr_text(check)}, but {sizes}", hint="choose sizes for which that holds")


def _sized(arg: Arg, shape: Sequence[int]) -> Arg:
    return replace(arg, shape=_numbers(shape), strides=_numbers(row_major(shape)))


def _numbers(values: Sequence[int]) -> tuple[Expr, ...]:
    return tuple(map(Const, values))
