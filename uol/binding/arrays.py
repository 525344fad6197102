"""numpy arrays as the buffers of a compiled operator: inputs that fit, results to be filled, and the sizes that are
arguments of its kernels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod

import numpy as np
from numpy.typing import NDArray

from uol.binding.argument_checks import nearest
from uol.binding.instance import Instance
from uol.binding.layouts import row_major
from uol.binding.tensor_binding import bind_sizes
from uol.codegen.indexing.arithmetic import over_dims, value_at
from uol.codegen.specs.expression_text import expr_text
from uol.codegen.specs.graph import KernelGraph
from uol.codegen.specs.nodes import Arg
from uol.ir.errors import ShapeError
from uol.ir.program.dtype_encoding import STORAGE, require_dims
from uol.ir.program.nodes import Const, Expr
from uol.ir.types import is_float

Array = NDArray[np.generic]


def by_position(op: str, args: tuple[Arg, ...], arrays: tuple[Array, ...]) -> dict[str, Array]:
    """Arrays by the names of `args`, in order. Raises ShapeError for one too many."""
    names = [a.name for a in args]
    if len(arrays) > len(names):
        raise ShapeError(f"{op} takes {len(names)} arrays, not {len(arrays)}", hint=f"they are {', '.join(names)}")
    return dict(zip(names, arrays, strict=False))


def by_name(op: str, args: tuple[Arg, ...], given: Mapping[str, Array]) -> dict[str, Array]:
    """Arrays in the order of `args`, each one present. Raises ShapeError for one that is unknown or missing."""
    names = [a.name for a in args]
    for name in given:
        if name not in names:
            raise ShapeError(f"{op} has no input {name!r}", hint=nearest(name, names) or f"its inputs are {', '.join(names)}")
    missing = [n for n in names if n not in given]
    if missing:
        raise ShapeError(f"{op} needs {', '.join(missing)}", hint=f"its inputs are {', '.join(names)}")
    return {name: given[name] for name in names}


@dataclass(frozen=True, slots=True)
class Buffers:
    """`inputs` in order, `results` by name, `sizes` of the dims that kernels take as arguments, in order."""

    inputs: tuple[Array, ...]
    results: Mapping[str, Array]
    sizes: tuple[int, ...]


def buffers_of(instance: Instance, graph: KernelGraph, arrays: Mapping[str, Array]) -> Buffers:
    """`arrays`: the inputs by name, in order. Raises ShapeError for those that the kernels were not made for."""
    inputs = [a for a in graph.args if a.role == "in"]
    results = [a for a in graph.args if a.role == "out"]
    for arg in results:
        require_dims(graph.name, arg.name, len(arg.shape))
    if instance.open_dims:
        return _of_any_size(instance, graph, inputs, results, arrays)
    for arg in inputs:
        _require_type(graph.name, arg, arrays[arg.name])
        _require_fit(graph.name, arg, arrays[arg.name])
    return Buffers(tuple(arrays.values()), {a.name: empty_result(a) for a in results}, ())


def _of_any_size(
    made_for: Instance,
    graph: KernelGraph,
    inputs: Sequence[Arg],
    results: Sequence[Arg],
    arrays: Mapping[str, Array],
) -> Buffers:
    for arg in inputs:
        _require_type(graph.name, arg, arrays[arg.name])
    instance = bind_sizes(made_for, {name: array.shape for name, array in arrays.items()})
    seen = made_for.seen_by_kernels(instance)
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


def _require_type(op: str, arg: Arg, array: Array) -> None:
    """Raises ShapeError where an array is none, or not of the type that the kernel was made for."""
    wanted = np.dtype(STORAGE[arg.dtype])
    if not isinstance(array, np.ndarray):
        raise ShapeError(f"{op}: {arg.name} is a {type(array).__name__}, not a numpy array", hint="write np.asarray(...)")
    if array.dtype != wanted:
        patterns = is_float(arg.dtype) and wanted.kind == "u"
        hint = f"uol.ir.encode({arg.name}, {arg.dtype!r})" if patterns else f"{arg.name}.astype({str(wanted)!r})"
        kind = f"bit patterns of {arg.dtype}, {wanted}" if patterns else str(wanted)
        raise ShapeError(f"{op}: {arg.name} is {array.dtype}, the kernel takes {kind}", hint=f"write {hint}")


def _require_fit(op: str, arg: Arg, array: Array) -> None:
    """Raises ShapeError where an array is not of the shape or strides that the kernel was made for."""
    shape = _static_sizes(arg.shape)
    if array.shape != shape:
        hint = "compile for these dims"
        raise ShapeError(f"{op}: {arg.name} has the shape {array.shape}, the kernel takes {shape}", hint=hint)
    if array.size and not _strides_fit(array, arg, shape):
        strides = tuple(s // array.itemsize for s in array.strides)
        raise ShapeError(
            f"{op}: {arg.name} has the strides {strides}, the kernel takes {_static_sizes(arg.strides)}",
            hint=f"write np.ascontiguousarray({arg.name}), or compile with these strides",
        )


def empty_result(arg: Arg) -> Array:
    """An array for a result, in the layout that the kernel writes."""
    shape, strides = _static_sizes(arg.shape), _static_sizes(arg.strides)
    dtype = np.dtype(STORAGE[arg.dtype])
    flat = np.empty(prod(shape), dtype)
    if not flat.size:
        return flat.reshape(shape)
    return np.lib.stride_tricks.as_strided(flat, shape, tuple(s * dtype.itemsize for s in strides))


def _strides_fit(array: Array, arg: Arg, shape: tuple[int, ...]) -> bool:
    """Strides count only along dims of two or more."""
    strides = zip(array.strides, _static_sizes(arg.strides), shape, strict=True)
    return all(have == want * array.itemsize for have, want, size in strides if size > 1)


def _static_sizes(exprs: Iterable[Expr]) -> tuple[int, ...]:
    """The numbers behind constant expressions. Raises ShapeError where one is symbolic."""
    return tuple(_number(e) for e in exprs)


def _number(expr: Expr) -> int:
    if isinstance(expr, Const):
        return int(expr.value)
    raise ShapeError("a dim is symbolic here", hint="give every dim a size when compiling")
