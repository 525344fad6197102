"""What CUDA and HIP backends share: everything up to the module's files. What makes kernels is loaded when one is made."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, get_args

from uol.backends.simt.choosing.schedules import SimtSchedule
from uol.backends.simt.elements.schedule import RUN
from uol.backends.simt.machine.target import Machine, Target
from uol.backends.simt.running.driver_api import DriverSource
from uol.backends.simt.running.torch_side import TorchSide, current_raw_stream, properties_of
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
from uol.codegen.extensions import CountedLaunch, Resources
from uol.codegen.indexing.arithmetic import NO_DIMS
from uol.codegen.loaded import Loaded
from uol.codegen.specs.graph import KernelGraph
from uol.codegen.specs.nodes import Attention, Contract, KernelSpec, Map, Reduce, Scan, Scatter, Select
from uol.codegen.work import Issued

KEPT_KERNELS = 64


@dataclass(frozen=True, slots=True)
class Toolchain:
    """A vendor's compiler: `build` takes a module and the device that it is for, `states` is what `uol doctor` shows,
    `identities` says which builds of the tools are installed, without running them, `resources` what a binary says of its
    kernels."""

    build: Callable[[Module, Device], Artifact]
    states: Callable[[], tuple[ToolState, ...]]
    identities: Callable[[], Mapping[str, str]]
    resources: Callable[[Artifact], Mapping[str, Resources]]


class SimtBackend:
    """A target with threads, blocks and shared memory. `include` holds its device header."""

    foreach_run: int | None = RUN

    def __init__(
        self,
        target: Target,
        devices: Mapping[str, Device],
        default_device: str,
        *,
        include: Path,
        toolchain: Toolchain,
        driver: DriverSource,
        torch: TorchSide,
    ) -> None:
        self.target = target
        self.name: str = target.name
        self.capability: Capability = target.capability
        self.devices: Mapping[str, Device] = devices
        self.default_device: str = default_device
        self.schedule_kinds: tuple[type, ...] = get_args(SimtSchedule)
        self.toolchain = toolchain
        self.driver = driver
        self._torch = torch
        self._met: dict[str, Device] = {}
        self._include = include

    def accepts(self, group: GroupSummary) -> bool:
        """Every fused group may be one kernel: a thread can compute any epilogue. An attention must fit the chip, and what is
        over rows and columns must lie along the columns where a kernel of its own would follow another order."""
        if group.kind is Attention:
            from uol.backends.simt.attention.candidates import ROW_TILES

            spec, device = group.spec(), self.devices[self.default_device]
            return any(isinstance(self.check(spec, tile, device), Footprint) for tile in ROW_TILES)
        if group.is_divided:
            from uol.backends.simt.rows.row_schedules import writes_along_columns

            if not writes_along_columns(group.spec()):
                return False
        return group.kind in (Map, Reduce, Contract, Scan, Scatter, Select) and group.dtypes <= self.capability.dtypes

    def legalise(self, spec: KernelSpec, device: Device) -> tuple[KernelSpec, ...]:
        """Guards and strides of any kind are fine for threads: a spec is its own kernel, but where a kind of schedule says
        otherwise: where threads of any block may add, all elements are 0 before; the order of long rows takes a workspace, and
        folds and scans of few long rows are several kernels, with a part of the rows for every core of the device. A sum of
        products that is no contraction, as of a transposed convolution with a stride, may be one at each of its residues."""
        from uol.backends.simt.choosing.kinds import first_that_says
        from uol.backends.simt.products.matrix.convolutions import products_of_sum

        machine = self.target.on(device.architecture)
        if isinstance(spec, Reduce) and (products := products_of_sum(spec, machine, device)) is not None:
            return products
        legalise = first_that_says(spec, lambda kind: kind.legalise)
        return (spec,) if legalise is None else legalise(spec, machine, device)

    def sums_products(self, spec: Contract, device: Device) -> bool:
        """Where matrix units take all products, and rows of them are in segments."""
        from uol.backends.simt.products.matrix.legality import takes_sum

        return takes_sum(spec, self.target.on(device.architecture))

    def alternatives(self, spec: KernelSpec, device: Device) -> Iterable[tuple[KernelSpec, ...]]:
        """Those of the kinds of schedules that take the spec: of a product of few tiles, its sums over parts of the terms, and
        the sums of those, in one order."""
        from uol.backends.simt.choosing.kinds import kinds_for

        return (way for kind in kinds_for(spec) if kind.ways is not None for way in kind.ways(spec, device))

    def estimate(self, spec: KernelSpec, device: Device) -> float:
        from uol.backends.simt.choosing import candidates

        return candidates.estimate(spec, self.target.on(device.architecture), device)

    def variants(self, spec: KernelSpec, device: Device) -> tuple[KernelSpec, ...]:
        from uol.backends.simt.choosing.variants import variants

        return variants(spec, self.machine_of(device))

    def schedules(self, spec: KernelSpec, device: Device) -> Iterable[Schedule]:
        from uol.backends.simt.choosing import candidates

        return candidates.candidates(spec, self.machine_of(device), device)

    def check(self, spec: KernelSpec, schedule: Schedule, device: Device) -> Footprint | Refusal:
        from uol.backends.simt.choosing import candidates

        return candidates.check(spec, schedule, self.machine_of(device))

    def issued(self, spec: KernelSpec, schedule: Schedule, device: Device, dims: Mapping[str, int] = NO_DIMS) -> Issued:
        from uol.backends.simt.choosing.issued import issued_by

        return issued_by(self.render(spec, schedule, device), device, self.capability.lanes, dims)

    def issued_for(
        self,
        spec: KernelSpec,
        schedule: Schedule,
        device: Device,
        data: Mapping[str, Sequence[int]],
        dims: Mapping[str, int] = NO_DIMS,
    ) -> Issued:
        from uol.backends.simt.choosing.issued import issued_by

        return issued_by(self.render(spec, schedule, device), device, self.capability.lanes, dims, data)

    def bytes_by_block(self, spec: KernelSpec, schedule: Schedule, device: Device, dims: Mapping[str, int] = NO_DIMS) -> int:
        from uol.backends.simt.choosing.issued import bytes_by_block

        return bytes_by_block(self.render(spec, schedule, device), self.capability.lanes, dims)

    def render(self, spec: KernelSpec, schedule: Schedule, device: Device) -> Kernel:
        return self._rendered(spec, schedule, device.architecture)

    @cached_property
    def _rendered(self) -> Callable[[KernelSpec, Any, str], Kernel]:
        """A kernel is asked for as a text, for its counts, and for each device: the text is one for all of an architecture."""
        from uol.backends.simt.choosing import rendering

        def rendered(spec: KernelSpec, schedule: Any, architecture: str) -> Kernel:
            return rendering.render(spec, schedule, self.target.on(architecture))

        return lru_cache(KEPT_KERNELS)(rendered)

    def machine_of(self, device: Device) -> Machine:
        """What a kernel's text may depend on of a device."""
        return self.target.on(device.architecture)

    def assemble(self, graph: KernelGraph, kernels: tuple[Kernel, ...], device: Device) -> Module:
        from uol.backends.simt.running import module_files

        return module_files.assemble(graph, kernels, device, self.target, self._include)

    def build(self, module: Module) -> Artifact:
        """The module as the device's binary. Raises ToolchainError where the compiler is missing or refuses the text."""
        return self.toolchain.build(module, self._device(module))

    def _device(self, module: Module) -> Device:
        """The device that a module is for."""
        return self._met.get(module.device_name) or self.devices[module.device_name]

    def resources(self, artifact: Artifact) -> Mapping[str, Resources]:
        return self.toolchain.resources(artifact)

    def load(self, artifact: Artifact, index: int = 0) -> Loaded:
        """The module on the device of that index. Raises ToolchainError where there is none, or the driver refuses the binary,
        DeviceError where it fails, ResourceError where it has less shared memory than a kernel takes."""
        from uol.backends.simt.running.driver_device import device_of
        from uol.backends.simt.running.loading import load

        return load(artifact, device_of(self.driver, index))

    def module_of_kernel(self, module: Module, kernel: Kernel) -> Module:
        from uol.backends.simt.running import module_files

        return module_files.of_kernel(module, kernel, self._device(module))

    def load_on_demand(self, module: Module, built: Callable[[Kernel], Artifact], index: int = 0) -> Loaded:
        from uol.backends.simt.running.driver_device import device_of
        from uol.backends.simt.running.loading import load_on_demand

        return load_on_demand(module, device_of(self.driver, index), built)

    def foreach_module(self, module: Module) -> Module | None:
        """A kernel over many runs, where the operator is one map over one."""
        from uol.backends.simt.elements.foreach_plan import foreach_graph, foreach_kernel

        kernel = foreach_kernel(module)
        if kernel is None:
            return None
        return self.assemble(foreach_graph(module.graph), (kernel,), self._device(module))

    def issued_by_runs(self, module: Module, lengths: Sequence[int], device: Device) -> tuple[CountedLaunch, ...]:
        from uol.backends.simt.choosing.issued_by_runs import issued_by_runs

        return issued_by_runs(module, lengths, device, self.capability.lanes)

    def load_foreach(self, artifact: Artifact, index: int = 0) -> Callable[..., None]:
        from uol.backends.simt.running.driver_device import device_of
        from uol.backends.simt.running.foreach_loading import load_foreach

        return load_foreach(artifact, device_of(self.driver, index))

    def torch_devices(self) -> frozenset[str]:
        return self._torch.types()

    def torch_device(self, index: int) -> Device:
        """The product under PyTorch's index: one of `devices`, else one that is built for as its architecture says. Raises
        UolError for one that no kernel is for."""
        found = self._torch.device(self.devices, properties_of(index))
        if found.name not in self.devices:
            self._met[found.name] = found
        return found

    def torch_stream(self, index: int) -> int:
        return current_raw_stream()(index)

    def card_modules(self) -> Mapping[str, str]:
        """The vendor's is `card.py` of the target's folder."""
        shared = {"card": "uol.backends.loading.card", "card_driver": "uol.backends.simt.running.card_driver"}
        return {**shared, "device": f"uol.backends.{self.name}.card"}

    def machine(self) -> Mapping[str, str]:
        return {}

    def build_tools(self) -> Mapping[str, str]:
        return self.toolchain.identities()

    def doctor(self) -> tuple[ToolState, ...]:
        return (*self.toolchain.states(), self.driver.state())
