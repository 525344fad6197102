"""One workspace for the buffers between the kernels of an operator."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from uol.codegen.indexing.arithmetic import ZERO, add, ceil_div, mul, product, static
from uol.codegen.specs.nodes import Arg
from uol.ir.errors import ResourceError
from uol.ir.program.nodes import Const, Expr, Var
from uol.ir.types import DTYPES

ALIGNMENT_BYTES = 256
"""UOL_WORKSPACE_ALIGNMENT of `uol_abi.h`."""


@dataclass(frozen=True, slots=True)
class WorkspaceLayout:
    """Where each buffer starts in the workspace, in bytes, and how large the whole is."""

    bytes: int = 0
    offsets: Mapping[str, int] = field(default_factory=dict)


def workspace_layout(workspaces: Iterable[Arg]) -> WorkspaceLayout:
    """The buffers one after another, each aligned to 256 bytes. Raises ResourceError where a size is symbolic."""
    workspaces = tuple(workspaces)
    for arg in workspaces:
        for extent in arg.shape:
            static_extent(extent)
    offsets, total = symbolic_layout(workspaces)
    return WorkspaceLayout(static_extent(total), {name: static_extent(offset) for name, offset in offsets.items()})


def symbolic_layout(workspaces: Iterable[Arg]) -> tuple[Mapping[str, Expr], Expr]:
    """The same over symbolic dims: where each buffer starts, and how large the whole is, as expressions."""
    total: Expr = ZERO
    offsets: dict[str, Expr] = {}
    for arg in workspaces:
        offsets[arg.name] = total
        size_bytes = mul(product(arg.shape), Const(DTYPES[arg.dtype].bytes))
        blocks = ceil_div(size_bytes, ALIGNMENT_BYTES)
        total = add(total, mul(blocks, Const(ALIGNMENT_BYTES)))
    return offsets, total


def static_extent(expr: Expr) -> int:
    """The value of an extent or a stride. Raises ResourceError where it is symbolic."""
    value = static(expr)
    if value is None:
        what = f" (here {expr.name})" if isinstance(expr, Var) else ""
        raise ResourceError(f"a launch needs every dim as a number{what}", hint="give the dims: --dims R=4096,C=1024")
    return value
