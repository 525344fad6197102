"""The backend of the test card: the CPU's kernels, launched as on an accelerator, with a record of every launch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from testcard import device
from testcard.graphs import Graph
from uol.backends import registry
from uol.backends.loading.loaded import as_loaded
from uol.codegen.backend import (
    Artifact,
    Capability,
    Device,
    Footprint,
    GroupSummary,
    Kernel,
    Module,
    Refusal,
    Schedule,
    ToolState,
)
from uol.codegen.extensions import ForeachBackend
from uol.codegen.indexing.arithmetic import NO_DIMS
from uol.codegen.loaded import Loaded
from uol.codegen.specs.graph import KernelGraph
from uol.codegen.specs.nodes import KernelSpec
from uol.codegen.work import Issued
from uol.ir.errors import DeviceError, ResourceError, UolError

Table = NDArray[np.int64]
CPU = registry.get("cpu")
PRODUCTS = ("small", "large")
"""What the cards are, by index."""


@dataclass(frozen=True, slots=True)
class Launched:
    """A launch: where, and which card and stream were PyTorch's current ones; `workspace`: its address, 0 for none."""

    op: str
    card: int
    current: int
    stream: int
    workspace: int


@dataclass(slots=True)
class Record:
    """What the cards have been told, and what is to go wrong.

    failure   what the driver says to the next launch
    missing   what is raised where a card is looked for, when it is not found
    graph     what takes launches down, in place of running them
    """

    launches: list[Launched] = field(default_factory=list)
    graph: Graph | None = None
    failure: str = ""
    missing: UolError | None = None

    def ops(self) -> list[str]:
        return [each.op for each in self.launches]


RECORD = Record()


@dataclass(frozen=True, slots=True)
class OnCard:
    """An operator on a card. The driver knows the card's own memory, and no other."""

    kernel: Loaded
    op: str
    card: int
    inputs_and_results: int

    @property
    def workspace_bytes(self) -> int:
        return self.kernel.workspace_bytes

    def __call__(self, *arguments: Any, stream: int = 0, workspace: Any = None) -> None:
        if RECORD.failure:
            told, RECORD.failure = RECORD.failure, ""
            raise DeviceError(f"{self.op} was not launched on card {self.card}: {told}", hint="the next call is tried anew")
        buffers = [*arguments[: self.inputs_and_results], *([] if workspace is None else [workspace])]
        if any(x.device != torch.device(device.NAME, self.card) for x in buffers):
            raise ResourceError(f"{self.op}: an illegal memory access was encountered")
        if (workspace is None) is bool(self.workspace_bytes):
            raise ResourceError(f"{self.op}: a workspace of {self.workspace_bytes} bytes is wanted")
        address = 0 if workspace is None else workspace.data_ptr()
        with torch.accelerator.device_index(self.card):
            RECORD.launches.append(Launched(self.op, self.card, device.current_card(), stream, address))
            run = self.kernel if RECORD.graph is None else RECORD.graph.noting(self.kernel, self.card, stream)
            run(*arguments, workspace=address or None)

    def on_current(self, stream: Callable[[int], int]) -> Callable[..., None]:
        return lambda *arguments: self(*arguments, stream=stream(self.card))


@dataclass(frozen=True, slots=True)
class OnCardOfAnySize:
    """An operator with dims that are arguments, on a card."""

    kernel: Loaded
    op: str
    card: int
    inputs_and_results: int
    scalars: int
    workspace_bytes: int = 0

    def at(self, *sizes: int, stream: int = 0) -> OnCard:
        def kernel(*arguments: Any, stream: int = 0, workspace: Any = None) -> None:
            self.kernel(*arguments, *sizes, workspace=workspace)

        return OnCard(as_loaded(kernel, 0), self.op, self.card, self.inputs_and_results)

    def __call__(self, *arguments: Any, stream: int = 0, workspace: Any = None) -> None:
        last = self.inputs_and_results + self.scalars
        self.at(*arguments[last:])(*arguments[:last], stream=stream, workspace=workspace)


@dataclass(frozen=True, slots=True)
class CardBackend:
    """The CPU's kernels, of one size and of any."""

    name: str = device.NAME
    capability: Capability = CPU.capability
    devices: Mapping[str, Device] = field(
        default_factory=lambda: {name: replace(CPU.devices["host"], name=name) for name in PRODUCTS}
    )
    default_device: str = PRODUCTS[0]
    schedule_kinds: tuple[type, ...] = CPU.schedule_kinds

    def accepts(self, group: GroupSummary) -> bool:
        return CPU.accepts(group)

    def legalise(self, spec: KernelSpec, device: Device) -> tuple[KernelSpec, ...]:
        return CPU.legalise(spec, device)

    def schedules(self, spec: KernelSpec, device: Device) -> Iterable[Schedule]:
        return CPU.schedules(spec, device)

    def check(self, spec: KernelSpec, schedule: Schedule, device: Device) -> Footprint | Refusal:
        if any(a.dtype.startswith("f8") for a in spec.args):
            return Refusal("the card has no numbers of 8 bits")
        return CPU.check(spec, schedule, device)

    def issued(self, spec: KernelSpec, schedule: Schedule, device: Device, dims: Mapping[str, int] = NO_DIMS) -> Issued:
        return CPU.issued(spec, schedule, device, dims)

    def render(self, spec: KernelSpec, schedule: Schedule, device: Device) -> Kernel:
        return CPU.render(spec, schedule, device)

    def assemble(self, graph: KernelGraph, kernels: tuple[Kernel, ...], device: Device) -> Module:
        return replace(CPU.assemble(graph, kernels, device), backend=self.name)

    def build(self, module: Module) -> Artifact:
        return CPU.build(module)

    def load(self, artifact: Artifact, index: int = 0) -> Loaded:
        graph = artifact.module.graph
        kernel = CPU.load(artifact)
        if graph.dims:
            return OnCardOfAnySize(kernel, graph.name, index, len(graph.args), len(graph.scalars))
        return OnCard(kernel, graph.name, index, len(graph.args))

    def torch_devices(self) -> frozenset[str]:
        return frozenset({device.NAME})

    def torch_device(self, index: int) -> Device:
        if RECORD.missing is not None:
            raise RECORD.missing
        return self.devices[PRODUCTS[index]]

    def torch_stream(self, index: int) -> int:
        return device.current_stream(index)

    def machine(self) -> Mapping[str, str]:
        return CPU.machine()

    def build_tools(self) -> Mapping[str, str]:
        return CPU.build_tools()

    def doctor(self) -> tuple[ToolState, ...]:
        return ()


@dataclass(frozen=True, slots=True)
class ForeachCardBackend(CardBackend):
    """A card that takes a table of many tensors in one launch."""

    foreach_run: int | None = None

    def foreach_module(self, module: Module) -> Module | None:
        return module

    def load_foreach(self, artifact: Artifact, index: int = 0) -> Callable[..., None]:
        assert isinstance(CPU, ForeachBackend)
        name, kernel = artifact.module.graph.name, CPU.load_foreach(artifact)

        def call(addresses: Table, lengths: Table, *scalars: float, stream: int = 0) -> None:
            RECORD.launches.append(Launched(f"{name}, {len(lengths)} at once", index, device.current_card(), stream, 0))
            kernel(addresses, lengths, *scalars)

        return call


def register(backend: type[CardBackend] = CardBackend) -> None:
    """The device and its backend, for this process."""
    device.register()
    registry.unregister(device.NAME)
    registry.register(device.NAME, backend)
