"""A warning of operators that need more memory than their device has."""

from __future__ import annotations

import warnings

from uol.backends.abi.workspace import symbolic_layout
from uol.codegen.backend import Device, Module
from uol.codegen.indexing.arithmetic import mul, product
from uol.codegen.indexing.dim_values import value_at
from uol.ir.program.nodes import Const
from uol.ir.types import DTYPES

UNITS = ((1 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"))


class MemoryDemandWarning(UserWarning):
    """Tensors and workspace do not fit the memory of the device."""


def warn_of_demand(module: Module, device: Device) -> None:
    """Warns, with the numbers, where inputs, results and workspace together are larger than the device's memory. Sizes that are
    open are known to nobody, and so is the memory of some devices."""
    graph = module.graph
    if graph.dims or not device.memory_bytes:
        return
    _, size = symbolic_layout(graph.workspaces)
    workspace = value_at(size, {})
    tensors = sum(value_at(mul(product(a.shape), Const(DTYPES[a.dtype].bytes)), {}) for a in graph.args)
    if workspace + tensors > device.memory_bytes:
        needed = f"{_text(workspace)} of workspace beside {_text(tensors)} of tensors"
        warnings.warn(
            f"{graph.name} needs {needed}, and {module.backend}:{device.name} has {_text(device.memory_bytes)} of memory",
            MemoryDemandWarning,
            stacklevel=3,
        )


def _text(size: int) -> str:
    """`"256 GiB"`."""
    unit, name = next(((u, n) for u, n in UNITS if size >= u), (1, "bytes"))
    return f"{size / unit:.4g} {name}"
