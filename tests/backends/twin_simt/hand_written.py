"""Modules around hand-written kernel text, for tests of the twin."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from uol.codegen.backend import Capability, Footprint, Kernel, Launch, Module, Param, SourceFile
from uol.codegen.specs.graph import KernelGraph
from uol.codegen.specs.nodes import Arg, ArgRole, Map
from uol.ir.program.nodes import Const, Scalar

GRID = (2**31 - 1, 65535, 65535)
MACHINES = {
    "cuda": Capability(32, {"shared": 163 * 1024, "static shared": 48 * 1024}, GRID, 1024, frozenset({"f32", "f16"})),
    "hip": Capability(64, {"shared": 64 * 1024}, GRID, 1024, frozenset({"f32", "f16"})),
}


@dataclass(frozen=True)
class NoSchedule:
    def describe(self) -> str:
        return "hand-written"


def dense(name: str, dtype: str, shape: Iterable[int], role: ArgRole) -> Arg:
    """A row-major buffer."""
    sizes = list(shape)
    strides = [1] * len(sizes)
    for i in range(len(sizes) - 2, -1, -1):
        strides[i] = strides[i + 1] * max(1, sizes[i + 1])
    return Arg(name, dtype, tuple(Const(d) for d in sizes), tuple(Const(s) for s in strides), role)


def kernel(name: str, args: Iterable[Arg], scalars: Iterable[Scalar], launch: Launch) -> Kernel:
    args, scalars = tuple(args), tuple(scalars)
    params = tuple(Param(a.name, "buffer", a.dtype, a.role != "in") for a in args)
    params += tuple(Param(s.name, "scalar", s.dtype) for s in scalars)
    spec = Map(name, args, scalars, (), (), "", (), ())
    return Kernel(name, "", params, launch, Footprint(), NoSchedule(), spec)


def module(
    backend: str,
    text: str,
    args: Iterable[Arg],
    launches: dict[str, Launch],
    *,
    scalars: Iterable[Scalar] = (),
    uses: dict[str, tuple[str, ...]] | None = None,
) -> Module:
    """A module of the kernels in `text`; each takes all buffers and scalars in order, or those that `uses` names."""
    args, scalars = tuple(args), tuple(scalars)
    kernels = tuple(
        kernel(name, (a for a in args if not uses or name not in uses or a.name in uses[name]), scalars, launch)
        for name, launch in launches.items()
    )
    signature = tuple(a for a in args if a.role != "workspace")
    workspaces = tuple(a for a in args if a.role == "workspace")
    graph = KernelGraph("op", tuple(k.spec for k in kernels), signature, workspaces, scalars, (), "")
    suffix = {"cuda": "cu", "hip": "hip"}[backend]
    return Module(backend, "device", graph, kernels, SourceFile(f"op.{suffix}", text), (), "")
