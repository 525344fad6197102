"""The Ascend C backend."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import get_args

from uol.backends.ascendc import candidates, runtime, toolchain
from uol.backends.ascendc.assembly import assemble
from uol.backends.ascendc.devices import DEFAULT_DEVICE, DEVICES
from uol.backends.ascendc.kernel_text import rendered
from uol.backends.ascendc.legalise import legalised
from uol.backends.ascendc.memory import Overflow
from uol.backends.ascendc.schedules import AscendSchedule, defect
from uol.backends.ascendc.target import CAPABILITY
from uol.backends.ascendc.vector.values import Unsupported
from uol.backends.ascendc.work.issued import issued_by
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
from uol.codegen.indexing.arithmetic import NO_DIMS
from uol.codegen.loaded import Loaded
from uol.codegen.specs.graph import KernelGraph
from uol.codegen.specs.nodes import KernelSpec
from uol.codegen.work import Issued
from uol.ir.errors import RefusalError

NOTHING_FITS = "no tile of this kernel fits: split the operator in two, or make its innermost axis shorter"


class AscendBackend:
    """Huawei Ascend 910B: vector kernels on AIV, contractions on AIC."""

    name: str = "ascendc"
    capability: Capability = CAPABILITY
    devices: Mapping[str, Device] = DEVICES
    default_device: str = DEFAULT_DEVICE
    schedule_kinds: tuple[type, ...] = get_args(AscendSchedule)

    def accepts(self, group: GroupSummary) -> bool:
        """The scalar unit makes addresses, the vector unit values: an index that the kernel itself computes is refused, and
        goes through memory. Nor is a row part of an axis: it would be copied by parts."""
        return not group.computes_indices and not group.is_divided

    def legalise(self, spec: KernelSpec, device: Device) -> tuple[KernelSpec, ...]:
        return legalised(spec, device)

    def schedules(self, spec: KernelSpec, device: Device) -> Iterable[Schedule]:
        return candidates.schedules_of(spec, device)

    def check(self, spec: KernelSpec, schedule: Schedule, device: Device) -> Footprint | Refusal:
        """Pre-flight: the kernel is planned, not printed; its buffers must fit."""
        assert isinstance(schedule, AscendSchedule)
        if (reason := defect(schedule, spec)) is not None:
            return Refusal(reason)
        try:
            plan = candidates.plan_of(spec, schedule)
        except Unsupported as error:
            return Refusal(error.message, error.hint)
        if isinstance(plan, Overflow):
            return Refusal(str(plan), candidates.nearest(spec, device) or NOTHING_FITS)
        return plan.footprint

    def issued(self, spec: KernelSpec, schedule: Schedule, device: Device, dims: Mapping[str, int] = NO_DIMS) -> Issued:
        assert isinstance(schedule, AscendSchedule)
        plan = candidates.plan_of(spec, schedule)
        assert not isinstance(plan, Overflow), "a schedule that the check refuses"
        return issued_by(plan, device)

    def render(self, spec: KernelSpec, schedule: Schedule, device: Device) -> Kernel:
        assert isinstance(schedule, AscendSchedule)
        plan = candidates.plan_of(spec, schedule)
        if isinstance(plan, Overflow):
            nearest = candidates.nearest(spec, device)
            raise RefusalError(str(plan), hint=nearest or NOTHING_FITS)
        return rendered(plan)

    def assemble(self, graph: KernelGraph, kernels: tuple[Kernel, ...], device: Device) -> Module:
        return assemble(graph, kernels, device)

    def build(self, module: Module) -> Artifact:
        """A shared library by bisheng. Raises ToolchainError without CANN."""
        return toolchain.build(module)

    def load(self, artifact: Artifact, index: int = 0) -> Loaded:
        return runtime.load(artifact, index)

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
