"""Memory that an operator asks for in vain.

Sizes that 64-bit addresses do not reach are refused, before any arithmetic of a compiler wraps around them; of those that a
device's memory does not hold there is a warning.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from math import prod

from uol.backends.abi.interface import symbolic_layout, workspace_layout
from uol.codegen.backend import Device, Module
from uol.codegen.indexing.arithmetic import mul, product, static, value_at
from uol.codegen.specs.graph import KernelGraph
from uol.ir.errors import ResourceError, ShapeError
from uol.ir.program.nodes import Const, Program
from uol.ir.types import DTYPES

MOST = 2**63 - 1
WIDEST_BYTES = 8
UNITS = ((1 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"))


def require_addressable(op: str, name: str, shape: Sequence[int]) -> None:
    """Raises ShapeError where a tensor's bytes are more than 64-bit offsets reach. Dims of no elements count as one: loops
    over the others must not wrap, either."""
    if prod(max(size, 1) for size in shape) * WIDEST_BYTES > MOST:
        sizes = "x".join(map(str, shape))
        raise ShapeError(f"{op}: {name} of {sizes} elements is beyond 64-bit addresses", hint="choose smaller sizes")


def require_addressable_program(program: Program) -> None:
    """`require_addressable` for every tensor, those that a kernel may keep between its steps included."""
    for tensor in program.tensors.values():
        sizes = [size for size in map(static, tensor.shape) if size is not None]
        if len(sizes) == len(tensor.shape):
            require_addressable(program.name, tensor.name, sizes)


def require_addressable_workspace(graph: KernelGraph) -> None:
    """Raises ResourceError where the buffers between kernels are together more than 64-bit offsets reach."""
    if all(static(d) is not None for arg in graph.workspaces for d in arg.shape):
        size_bytes = workspace_layout(graph).bytes
        if size_bytes > MOST:
            message = f"{graph.name}: a workspace of {size_bytes} bytes is beyond 64-bit addresses"
            raise ResourceError(message, hint="choose smaller sizes")


class MemoryDemandWarning(UserWarning):
    """Tensors and workspace do not fit the memory of the device."""


def warn_of_demand(module: Module, device: Device) -> None:
    """Warns, with the numbers, where inputs, results and workspace together are larger than the device's memory. Sizes that are
    open are known to nobody, and so is the memory of some devices."""
    graph = module.graph
    if graph.dims or not device.memory_bytes:
        return
    _, size = symbolic_layout(graph)
    workspace = value_at(size, {})
    tensors = sum(value_at(mul(product(a.shape), Const(DTYPES[a.dtype].bytes)), {}) for a in graph.args)
    if workspace + tensors > device.memory_bytes:
        needed = f"{_size_text(workspace)} of workspace beside {_size_text(tensors)} of tensors"
        warnings.warn(
            f"{graph.name} needs {needed}, and {module.backend}:{device.name} has {_size_text(device.memory_bytes)} of memory",
            MemoryDemandWarning,
            stacklevel=3,
        )


def _size_text(size: int) -> str:
    """`"256 GiB"`."""
    unit, name = next(((u, n) for u, n in UNITS if size >= u), (1, "bytes"))
    return f"{size / unit:.4g} {name}"
