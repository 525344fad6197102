"""The kernels of one operator."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from uol.codegen.indexing.arithmetic import substituted
from uol.codegen.specs.nodes import Arg, KernelSpec
from uol.ir.program.nodes import Const, Expr, Scalar

WORKSPACE_ALIGNMENT_BYTES = 256
"""Of buffers between kernels, where a machine asks for no more: what the allocators of CUDA's and HIP's drivers give (CUDA C++
Programming Guide, "Size and Alignment Requirement")."""


@dataclass(frozen=True, slots=True)
class KernelGraph:
    """The kernels of one operator, in launch order. `args` is the operator's signature (inputs, then results);
    `workspaces` are the buffers between kernels. Of `dims` at a call must hold `facts`, which the proofs assumed (no dim is
    negative, the `where` clause), and `checks`, which they left over. Workspaces lie at multiples of `alignment_bytes`."""

    name: str
    specs: tuple[KernelSpec, ...]
    args: tuple[Arg, ...]
    workspaces: tuple[Arg, ...]
    scalars: tuple[Scalar, ...]
    dims: tuple[str, ...]
    source: str
    checks: tuple[Expr, ...] = ()
    facts: tuple[Expr, ...] = ()
    alignment_bytes: int = WORKSPACE_ALIGNMENT_BYTES


def at_sizes(graph: KernelGraph, dims: Mapping[str, int]) -> KernelGraph:
    """The graph with buffers as they are at these sizes of its dims; its specs are as they were."""
    sizes: Mapping[str, Expr] = {name: Const(size) for name, size in dims.items()}

    def sized(args: tuple[Arg, ...]) -> tuple[Arg, ...]:
        return tuple(replace(a, shape=_at(a.shape, sizes), strides=_at(a.strides, sizes)) for a in args)

    return replace(graph, args=sized(graph.args), workspaces=sized(graph.workspaces), dims=())


def _at(exprs: tuple[Expr, ...], sizes: Mapping[str, Expr]) -> tuple[Expr, ...]:
    return tuple(substituted(expr, sizes) for expr in exprs)
