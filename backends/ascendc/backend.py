"""The Ascend C backend."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import get_args

from uol.backends.ascendc import candidates, runtime, toolchain
from uol.backends.ascendc.assembly import assemble
from uol.backends.ascendc.collapse import values
from uol.backends.ascendc.devices import DEFAULT_DEVICE, DEVICES
from uol.backends.ascendc.legalise import legalised
from uol.backends.ascendc.memory.buffers import Overflow
from uol.backends.ascendc.schedules import AscendSchedule
from uol.backends.ascendc.target import CAPABILITY
from uol.backends.ascendc.vector.values import Unsupported
from uol.codegen.backend import Artifact, Capability, Device, Footprint, Kernel, Loaded, Module, Refusal, Schedule, ToolState
from uol.codegen.specs.nodes import KernelGraph, KernelSpec, Store
from uol.codegen.specs.steps import steps_of
from uol.codegen.specs.traverse import variables, walk
from uol.ir.errors import RefusalError
from uol.ir.program.nodes import Call
from uol.ir.types import INDEX

NOTHING_FITS = "no tile of this kernel fits: split the operator in two, or make its innermost axis shorter"


class AscendBackend:
    """Huawei Ascend 910B: vector kernels on AIV, contractions on AIC."""

    name: str = "ascendc"
    capability: Capability = CAPABILITY
    devices: Mapping[str, Device] = DEVICES
    default_device: str = DEFAULT_DEVICE
    schedule_kinds: tuple[type, ...] = get_args(AscendSchedule)

    def accepts(self, spec: KernelSpec) -> bool:
        """The scalar unit makes addresses, the vector unit values: an index that the kernel itself computes is refused, and
        goes through memory."""
        made = {s.name for s in steps_of(spec) if not isinstance(s, Store)}
        indices = (n for v in values(spec) for n in walk(v) if isinstance(n, Call) and n.fn == "cast" and n.dtype == INDEX)
        return not any(variables(index) & made for index in indices)

    def legalise(self, spec: KernelSpec) -> tuple[KernelSpec, ...]:
        return legalised(spec)

    def schedules(self, spec: KernelSpec, device: Device) -> Iterable[Schedule]:
        return candidates.schedules_of(spec, device)

    def check(self, spec: KernelSpec, schedule: Schedule) -> Footprint | Refusal:
        """Pre-flight: the kernel is planned; its buffers must fit."""
        assert isinstance(schedule, AscendSchedule)
        try:
            kernel = candidates.kernel_of(spec, schedule)
        except Unsupported as error:
            return Refusal(error.message, error.hint)
        if isinstance(kernel, Overflow):
            return Refusal(str(kernel), candidates.nearest(spec, self.devices[self.default_device]) or NOTHING_FITS)
        return kernel.footprint

    def render(self, spec: KernelSpec, schedule: Schedule) -> Kernel:
        assert isinstance(schedule, AscendSchedule)
        kernel = candidates.kernel_of(spec, schedule)
        if isinstance(kernel, Overflow):
            nearest = candidates.nearest(spec, self.devices[self.default_device])
            raise RefusalError(str(kernel), hint=nearest or NOTHING_FITS)
        return kernel

    def assemble(self, graph: KernelGraph, kernels: tuple[Kernel, ...], device: Device) -> Module:
        return assemble(graph, kernels, device)

    def build(self, module: Module) -> Artifact:
        """A shared library by bisheng. Raises ToolchainError without CANN."""
        return toolchain.build(module)

    def load(self, artifact: Artifact) -> Loaded:
        return runtime.load(artifact)

    def torch_devices(self) -> frozenset[str]:
        """As torch_npu names them."""
        return frozenset({"npu"})

    def machine(self) -> Mapping[str, str]:
        return {}

    def build_tools(self) -> Mapping[str, str]:
        return toolchain.identities()

    def doctor(self) -> tuple[ToolState, ...]:
        return toolchain.states() + runtime.states()


BACKEND = AscendBackend()
