"""Sizes that 64-bit addresses do not reach are refused, before any arithmetic of a compiler wraps around them."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from uol.backends.abi.workspace import workspace_layout
from uol.codegen.indexing.arithmetic import static
from uol.codegen.specs.nodes import KernelGraph
from uol.ir.errors import ResourceError, ShapeError
from uol.ir.program.nodes import Program

MOST = 2**63 - 1
WIDEST_BYTES = 8


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
        size_bytes = workspace_layout(graph.workspaces).bytes
        if size_bytes > MOST:
            message = f"{graph.name}: a workspace of {size_bytes} bytes is beyond 64-bit addresses"
            raise ResourceError(message, hint="choose smaller sizes")
