"""The kernels of one operator."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from uol.codegen.indexing.arithmetic import substituted
from uol.codegen.specs.nodes import Arg, KernelSpec
from uol.ir.program.nodes import Const, Expr, Scalar


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


def at_sizes(graph: KernelGraph, dims: Mapping[str, int]) -> KernelGraph:
    """The graph with buffers as they are at these sizes of its dims; its specs are as they were."""
    sizes: Mapping[str, Expr] = {name: Const(size) for name, size in dims.items()}

    def sized(args: tuple[Arg, ...]) -> tuple[Arg, ...]:
        return tuple(replace(a, shape=_at(a.shape, sizes), strides=_at(a.strides, sizes)) for a in args)

    return replace(graph, args=sized(graph.args), workspaces=sized(graph.workspaces), dims=())


def _at(exprs: tuple[Expr, ...], sizes: Mapping[str, Expr]) -> tuple[Expr, ...]:
    return tuple(substituted(expr, sizes) for expr in exprs)
