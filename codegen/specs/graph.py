"""The kernels of one operator."""

from __future__ import annotations

from dataclasses import dataclass

from uol.codegen.specs.nodes import Arg, KernelSpec
from uol.ir.program.nodes import Expr, Scalar


@dataclass(frozen=True, slots=True)
class KernelGraph:
    """The kernels of one operator, in launch order. `args` is the operator's signature (inputs, then results);
    `workspaces` are the buffers between kernels. Of `dims` at a call must hold `facts`, which the proofs assumed (no dim is
    negative, the `where` clause), and `checks`, which they left over."""

    name: str
    specs: tuple[KernelSpec, ...]
    args: tuple[Arg, ...]
    workspaces: tuple[Arg, ...]
    scalars: tuple[Scalar, ...]
    dims: tuple[str, ...]
    source: str
    checks: tuple[Expr, ...] = ()
    facts: tuple[Expr, ...] = ()
