"""The oracle: every spec of an operator as plain TensorIR loops, built by LLVM, run on numpy arrays.

It shares nothing with a target's renderer but the specs, and no schedule with any kernel: what it gives is what the
specs mean in the arithmetic of their types.
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from math import prod
from typing import Any

import numpy as np

from uol.backends.cpu.operands.buffer_span import span_of
from uol.backends.cpu.runtime.library import open_library
from uol.backends.cpu.runtime.marshal import Array, flat_buffer, strided
from uol.codegen.indexing.arithmetic import value_at
from uol.codegen.specs.graph import KernelGraph
from uol.codegen.specs.nodes import Arg, KernelSpec
from uol.ir.errors import ShapeError
from uol.ir.program.dtype_encoding import STORAGE
from uol.ir.program.nodes import Expr, Var

C_TYPES: dict[str, Any] = {"f64": ctypes.c_double, "f32": ctypes.c_float, "i64": ctypes.c_int64}
CACHED_GRAPHS = 256
OPTIMISED_FROM = 2_000_000
"""Steps of a spec's loops from which LLVM's optimisation takes less time than it saves."""


def run(graph: KernelGraph, buffers: Mapping[str, Array], scalars: Mapping[str, float | int] | None = None) -> dict[str, Array]:
    """The results of an operator by name. f16 arrays are numpy float16; bf16 and f8 arrays hold bit patterns."""
    from uol.backends.cpu.oracle.attention_loops import with_row_workspaces

    dims = _dims(graph, buffers)
    graph = replace(graph, specs=tuple(map(with_row_workspaces, graph.specs)))
    workspaces = (a for spec in graph.specs for a in spec.args if a.role == "workspace")
    memory = {a.name: _memory(a, buffers, dims) for a in (*graph.args, *workspaces)}
    library = _compiled(graph, optimised=_steps(graph, dims) >= OPTIMISED_FROM)
    given = scalars or {}
    for number, spec in enumerate(graph.specs):
        if not _is_launched(spec, dims):
            continue
        arguments: list[Any] = [ctypes.c_void_p(memory[a.name].ctypes.data) for a in spec.args]
        arguments += [C_TYPES[s.dtype](given[s.name]) for s in spec.scalars]
        arguments += [ctypes.c_int64(dims[d]) for d in spec.dims]
        getattr(library, _symbol(spec.name, number))(*arguments)
    results = (a for a in graph.args if a.role == "out")
    return {a.name: strided(memory[a.name], _values(a.shape, dims), _values(a.strides, dims)).copy() for a in results}


def _symbol(name: str, number: int) -> str:
    return f"{name}_oracle_{number}"


@lru_cache(maxsize=CACHED_GRAPHS)
def _compiled(graph: KernelGraph, *, optimised: bool) -> ctypes.CDLL:
    from uol.backends.cpu.host import host
    from uol.backends.cpu.oracle.primfunc import unscheduled
    from uol.backends.cpu.runtime.objectcode import assembly, linked

    functions = [
        unscheduled(spec).with_attr("global_symbol", _symbol(spec.name, number)) for number, spec in enumerate(graph.specs)
    ]
    return open_library(linked(assembly(functions, host(), optimised=optimised))[0])


def _is_launched(spec: KernelSpec, dims: Mapping[str, int]) -> bool:
    """Of kernels for parts of the sizes those are that hold at these: others would take rows for much longer ones."""
    return all(value_at(condition, dims) for condition in spec.where)


def _steps(graph: KernelGraph, dims: Mapping[str, int]) -> int:
    launched = (spec for spec in graph.specs if _is_launched(spec, dims))
    return sum(prod(value_at(axis.extent, dims) for axis in spec.axes) for spec in launched)


def _memory(arg: Arg, buffers: Mapping[str, Array], dims: Mapping[str, int]) -> Array:
    shape, strides = _values(arg.shape, dims), _values(arg.strides, dims)
    if arg.role == "in":
        return flat_buffer(arg.name, buffers[arg.name], arg.dtype, shape, strides)
    return np.zeros(max(1, span_of(shape, strides)), STORAGE[arg.dtype])


def _values(exprs: tuple[Expr, ...], dims: Mapping[str, int]) -> tuple[int, ...]:
    return tuple(value_at(e, dims) for e in exprs)


def _dims(graph: KernelGraph, buffers: Mapping[str, Array]) -> dict[str, int]:
    """Symbolic dims from the shapes of the inputs."""
    found: dict[str, int] = {}
    for arg in graph.args:
        for dim, size in zip(arg.shape, buffers[arg.name].shape if arg.name in buffers else (), strict=False):
            if isinstance(dim, Var) and found.setdefault(dim.name, size) != size:
                raise ShapeError(f"{dim.name} is both {found[dim.name]} and {size}")
    missing = [d for d in graph.dims if d not in found]
    if missing:
        raise ShapeError(f"no input has a dim that says what {', '.join(missing)} is")
    return found
