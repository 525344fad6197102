"""One workspace for the buffers between the kernels of an operator."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import prod

from uol.codegen.index import static
from uol.codegen.spec import Arg
from uol.ir.errors import ResourceError
from uol.ir.nodes import Expr, Var
from uol.ir.types import DTYPES

ALIGNMENT_BYTES = 256
"""UOL_WORKSPACE_ALIGNMENT of `uol_abi.h`."""


@dataclass(frozen=True, slots=True)
class WorkspaceLayout:
    """Where each buffer starts in the workspace, in bytes, and how large the whole is."""

    bytes: int = 0
    offsets: Mapping[str, int] = field(default_factory=dict)


def workspace_layout(workspaces: Iterable[Arg]) -> WorkspaceLayout:
    """The buffers one after another, each aligned to 256 bytes."""
    total = 0
    offsets: dict[str, int] = {}
    for arg in workspaces:
        offsets[arg.name] = total
        size_bytes = prod(static_extent(d) for d in arg.shape) * DTYPES[arg.dtype].bytes
        total += -(-size_bytes // ALIGNMENT_BYTES) * ALIGNMENT_BYTES
    return WorkspaceLayout(total, offsets)


def static_extent(expr: Expr) -> int:
    """The value of an extent or a stride. Raises ResourceError where it is symbolic."""
    value = static(expr)
    if value is None:
        what = f" (here {expr.name})" if isinstance(expr, Var) else ""
        raise ResourceError(f"a launch needs every dim as a number{what}", hint="give the dims: --dims R=4096,C=1024")
    return value
