"""Modules around hand-written Ascend C, for tests of the twin."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from uol.backends.twin import Job
from uol.backends.twin.record import Array
from uol.codegen.backend import Capability, Footprint, Kernel, Launch, Module, Param, SourceFile
from uol.codegen.specs.graph import KernelGraph
from uol.codegen.specs.nodes import Arg, ArgRole, Map
from uol.ir.program.nodes import Const, Scalar

MACHINE = Capability(64, {}, (65535, 1, 1), 1, frozenset({"f32", "f16", "bf16"}))

HEAD = """\
#include "kernel_operator.h"
using namespace AscendC;
"""


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


def module(text: str, args: Iterable[Arg], kernels: Mapping[str, tuple[str, int]], scalars: Iterable[Scalar] = ()) -> Module:
    """A module of the kernels in `text`: kind of core and blocks by name. Each takes all buffers, then all scalars."""
    args, scalars = tuple(args), tuple(scalars)
    params = tuple(Param(a.name, "buffer", a.dtype, a.role != "in") for a in args)
    params += tuple(Param(s.name, "scalar", s.dtype) for s in scalars)
    spec = Map("op", args, scalars, (), (), "", (), ())
    made = tuple(
        Kernel(name, "", params, Launch((blocks, 1, 1), (1, 1, 1), core=core), Footprint(), NoSchedule(), spec)
        for name, (core, blocks) in kernels.items()
    )
    signature = tuple(a for a in args if a.role != "workspace")
    workspaces = tuple(a for a in args if a.role == "workspace")
    graph = KernelGraph("op", tuple(k.spec for k in made), signature, workspaces, scalars, (), "")
    return Module("ascendc", "910B", graph, made, SourceFile("op.cpp", text), (), "")


def job(
    made: Module, buffers: Mapping[str, Array], scalars: Mapping[str, float | int] | None = None, timeout_s: float = 20.0
) -> Job:
    return Job(made, buffers, scalars or {}, timeout_s=timeout_s, capability=MACHINE)
