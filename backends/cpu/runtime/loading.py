"""A built operator as a callable on torch tensors or numpy arrays, without copies.

One C call runs all kernels. Nothing is checked: shapes, types and strides are those that the operator was compiled for.
Neither TVM nor a compiler is needed.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from uol.backends.abi.interface import symbolic_layout
from uol.backends.cpu.dots.units import require_tiles, takes_tiles
from uol.backends.cpu.runtime.address import addresses
from uol.backends.cpu.runtime.library import open_library
from uol.backends.cpu.runtime.workspace import WORKSPACES
from uol.backends.loading.loaded import aligned_workspace, as_loaded
from uol.codegen.backend import Artifact
from uol.codegen.indexing.arithmetic import value_at
from uol.codegen.loaded import Loaded
from uol.codegen.specs.graph import KernelGraph
from uol.ir.errors import ResourceError

C_TYPES: dict[str, Any] = {"f64": ctypes.c_double, "f32": ctypes.c_float, "i64": ctypes.c_int64}

SIZE = ctypes.c_void_p
"""How a size goes to C, an integer of 64 bits: in the place of a pointer, to which ctypes converts an int in a third of the
time (35 ns of 100)."""

KNOWN_SIZES = 512
"""Sizes of calls whose workspace is known: to work it out takes longer than a small kernel."""


def load(artifact: Artifact) -> Loaded:
    """A function of inputs, results, run-time attributes and symbolic dims, in the order of the operator's text. A call is done
    when it returns, whatever the stream; a workspace is an address, or an array or tensor that lies there."""
    graph = artifact.module.graph
    if any(takes_tiles(kernel) for kernel in artifact.module.kernels):
        require_tiles()
    library = open_library(artifact.binary, artifact.path)
    entry = getattr(library, f"uol_{graph.name}_run")
    count = len(graph.args)
    entry.argtypes = [ctypes.c_void_p] * (count + 1) + [C_TYPES[s.dtype] for s in graph.scalars]
    entry.argtypes += [SIZE] * len(graph.dims)
    entry.restype = ctypes.c_int32
    _, size = symbolic_layout(graph)
    bytes_needed = 0 if graph.dims else value_at(size, {})

    @lru_cache(KNOWN_SIZES)
    def bytes_of(*sizes: int) -> int:
        return value_at(size, dict(zip(graph.dims, sizes, strict=True)))

    first_dim = count + len(graph.scalars)

    def call(*tensors: Any, stream: int = 0, workspace: Any = None) -> None:  # most kernels, in as few steps as can be
        if entry(*addresses(tensors), None):
            raise _failure(graph)

    def call_with_numbers(*values: Any, stream: int = 0, workspace: Any = None) -> None:
        if entry(*addresses(values[:count]), None, *values[count:]):
            raise _failure(graph)

    def call_with_workspace(*values: Any, stream: int = 0, workspace: Any = None) -> None:
        if workspace is not None:
            place = workspace if isinstance(workspace, int) else addresses([workspace])[0]
            failed = entry(*addresses(values[:count]), aligned_workspace(graph, place), *values[count:])
        else:
            block = WORKSPACES.take(bytes_of(*values[first_dim:]) if graph.dims else bytes_needed)
            try:
                failed = entry(*addresses(values[:count]), block.address, *values[count:])
            finally:
                WORKSPACES.give(block)
        if failed:
            raise _failure(graph)

    if bytes_needed or (graph.dims and graph.workspaces):
        return as_loaded(call_with_workspace, bytes_needed)
    return as_loaded(call_with_numbers if graph.dims or graph.scalars else call, 0)


def load_foreach(artifact: Artifact) -> Callable[..., None]:
    """A function of a table of addresses, a table of sizes (both int64, a row a position) and run-time attributes."""
    graph = artifact.module.graph
    entry = getattr(open_library(artifact.binary, artifact.path), f"uol_{graph.name}_foreach")
    table = np.ctypeslib.ndpointer(np.int64, 2, flags="C_CONTIGUOUS")
    entry.argtypes = [ctypes.c_int64, table, table, *(C_TYPES[s.dtype] for s in graph.scalars)]
    entry.restype = ctypes.c_int32

    def call(pointers: NDArray[np.int64], sizes: NDArray[np.int64], *scalars: float | int, stream: int = 0) -> None:
        if entry(len(pointers), pointers, sizes, *scalars):
            raise _failure(graph)

    return call


def _failure(graph: KernelGraph) -> ResourceError:
    return ResourceError(f"a kernel of {graph.name} failed", hint="this is a defect of uol; please report it")
