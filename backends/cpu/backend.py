"""The CPU as a target. TVM is imported only where a kernel is compiled."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, get_args

from uol.backends.cpu.caches import SIZES, this_machine
from uol.backends.cpu.devices import devices
from uol.backends.cpu.dots.units import UNITS, is_present, tiles
from uol.backends.cpu.host import NATIVE, PROCESSOR, THREADS, caches_of, core_count, host
from uol.backends.cpu.runtime.loading import load, load_foreach
from uol.backends.cpu.runtime.thread_pool import c_compiler
from uol.backends.cpu.schedules.kinds import CpuSchedule
from uol.backends.toolchain.processor import processor
from uol.backends.toolchain.tool_identity import tool
from uol.codegen.backend import (
    Artifact,
    Capability,
    Device,
    Footprint,
    GroupSummary,
    Kernel,
    Launch,
    Module,
    Param,
    Refusal,
    Schedule,
    ToolState,
)
from uol.codegen.indexing.arithmetic import NO_DIMS
from uol.codegen.loaded import Loaded
from uol.codegen.specs.graph import KernelGraph
from uol.codegen.specs.nodes import Attention, KernelSpec, Map, Scan, Scatter, Select, Store
from uol.codegen.specs.traverse import searched
from uol.ir.types import DTYPES
from uol.ir.without_torch import import_tvm

if TYPE_CHECKING:
    from uol.codegen.work import Issued

FEWEST_KEYS = 128
"""Among which a search pays: up to there, lanes that compare with key after key are as fast as lanes that each wait for one
key after another. Measured with AVX-512, f32."""
CAPABILITY = Capability(
    lanes=16,
    scratch_bytes={"stack": 1 << 20},
    max_grid=(1, 1, 1),
    max_threads=1,
    dtypes=frozenset(DTYPES),
    kinds=frozenset({Attention, Scan, Select}),
    scatters=frozenset(DTYPES),
    segments=frozenset({"rows", "terms"}),
    searches=FEWEST_KEYS,
    symbolic_dims=True,
    row_parts=64,
)
KERNEL_SUFFIX = "_kernel"
"""Operators are called exp, round, tanh: as bare symbols they would be the C library's."""


@dataclass(frozen=True, slots=True)
class CpuBackend:
    """Kernels through TensorIR and LLVM. What makes them is loaded when one is made: a process that finds all it needs in the
    cache loads none of it."""

    name: str = "cpu"
    capability: Capability = CAPABILITY
    devices: Mapping[str, Device] = field(default_factory=devices)
    default_device: str = "host"
    schedule_kinds: tuple[type, ...] = get_args(CpuSchedule)
    foreach_run: int | None = None

    def accepts(self, group: GroupSummary) -> bool:
        """Anything but an attention whose rows do not fit the stack, or whose products are better shared; columns that are a
        part of an axis and no vectors: what is elementwise over it has vectors of its own; and a search for a place where the
        same kernel reads or adds: lanes look for places side by side, and go there one after another."""
        if group.is_divided:
            import_tvm()
            from uol.backends.cpu.schedules.reduction import reads_long_runs

            return reads_long_runs(group.spec())
        if group.kind in (Map, Scatter) and group.computes_indices:
            return not any(searched(group.spec()))
        spec = group.spec() if group.kind is Attention else None
        if not isinstance(spec, Attention):
            return True
        import_tvm()
        from uol.backends.cpu.operands.attention_packing import takes_strips

        return takes_strips(spec)

    def legalise(self, spec: KernelSpec, device: Device) -> tuple[KernelSpec, ...]:
        import_tvm()
        from uol.backends.cpu.legalise import legalised

        return legalised(spec, host(device.architecture))

    def schedules(self, spec: KernelSpec, device: Device) -> Iterable[Schedule]:
        from uol.backends.cpu.scheduling import candidates

        return candidates(spec, host(device.architecture))

    def check(self, spec: KernelSpec, schedule: Schedule, device: Device) -> Footprint | Refusal:
        from uol.backends.cpu.schedules.legality import defect
        from uol.backends.cpu.scheduling import candidates

        assert isinstance(schedule, CpuSchedule)
        reason = defect(schedule, candidates(spec, host(device.architecture)))
        return Footprint() if reason is None else Refusal(reason)

    def issued(self, spec: KernelSpec, schedule: Schedule, device: Device, dims: Mapping[str, int] = NO_DIMS) -> Issued:
        """What the kernel must do, whatever its schedule: what else moves is between the caches and the processor."""
        from uol.codegen.work import compulsory

        return compulsory(spec, dims)

    def render(self, spec: KernelSpec, schedule: Schedule, device: Device) -> Kernel:
        from uol.backends.cpu.scheduling import primfunc

        symbol = re.sub(r"\W", "_", spec.name) + KERNEL_SUFFIX
        assert isinstance(schedule, CpuSchedule)
        script = primfunc(spec, schedule).with_attr("global_symbol", symbol).script(show_meta=False)
        body = "\n".join(line for line in script.splitlines() if not line.startswith(("# from tvm", "from tvm"))).strip()
        text = "\n".join([f"# {symbol}: {schedule.describe()}", body, ""])
        return Kernel(symbol, text, _params(spec), Launch((1, 1, 1), (1, 1, 1)), Footprint(), schedule, spec)

    def assemble(self, graph: KernelGraph, kernels: tuple[Kernel, ...], device: Device) -> Module:
        from uol.backends.cpu.assembling import assemble

        return assemble(self.name, graph, kernels, device)

    def build(self, module: Module) -> Artifact:
        from uol.backends.cpu.assembling import kernels_text
        from uol.backends.cpu.runtime.objectcode import linked

        binary, log = linked(kernels_text(module))
        return Artifact(module, binary, None, log)

    def environment(self, device: Device) -> Mapping[str, str]:
        """The processor with its caches, where the device is the machine's own, and the number of threads that kernels are cut
        for."""
        found = host(device.architecture)
        processor = {PROCESSOR: found.processor, SIZES: str(found.caches)} if device.architecture == NATIVE else {}
        return processor | {THREADS: str(found.cores)}

    def refusal(self, device: Device, environment: Mapping[str, str]) -> str:
        """Kernels for another processor, or with wider vectors, do not run here; those that are cut for other numbers of
        threads do."""
        here = host()
        other = environment.get(PROCESSOR, here.processor if device.architecture == NATIVE else device.architecture)
        wider = host(device.architecture).vector_bytes > here.vector_bytes
        differs = wider or (device.architecture == NATIVE and other != here.processor)
        return f"they are for the processor {other}, this one is {here.processor}" if differs else ""

    def is_own(self, device: Device) -> bool:
        return device.architecture == NATIVE and not os.environ.get(PROCESSOR)

    def kernels_file(self, module: Module) -> str:
        from uol.backends.cpu.assembling import kernels_file

        return kernels_file(module).name

    def torch_devices(self) -> frozenset[str]:
        return frozenset({"cpu"})

    def torch_device(self, index: int) -> Device:
        return self.devices[self.default_device]

    def torch_stream(self, index: int) -> int:
        return 0

    def load(self, artifact: Artifact, index: int = 0) -> Loaded:
        return load(artifact)

    def foreach_module(self, module: Module) -> Module | None:
        """The operator's own: its library has a function for many runs, too, where its sizes are arguments."""
        return module

    def load_foreach(self, artifact: Artifact, index: int = 0) -> Callable[..., None]:
        return load_foreach(artifact)

    def machine(self) -> Mapping[str, str]:
        named = {"architecture": os.environ.get(PROCESSOR, ""), "caches": str(caches_of()), "tiles": tiles()}
        return {"processor": processor(), **named, "threads": str(core_count())}

    def build_tools(self) -> Mapping[str, str]:
        return {name: tool(name) for name in ("as", "ld")}

    def doctor(self) -> tuple[ToolState, ...]:
        return (
            _module_state("tvm", "no kernel is compiled; cached ones run", "pip install 'apache-tvm==0.27.*'"),
            _tool_state("as", "no kernel is built", "install binutils"),
            _tool_state("ld", "no kernel is built", "install binutils"),
            _caches_state(),
            ToolState("cc", c_compiler() is not None, c_compiler() or "", "TVM's thread pool is used", "install gcc"),
            *(_unit_state(unit) for unit in UNITS),
        )


def _params(spec: KernelSpec) -> tuple[Param, ...]:
    from uol.codegen.specs.traverse import steps_of

    written = {s.tensor for s in steps_of(spec) if isinstance(s, Store)}
    buffers = tuple(Param(a.name, "buffer", a.dtype, a.name in written) for a in spec.args)
    scalars = tuple(Param(s.name, "scalar", s.dtype) for s in spec.scalars)
    return buffers + scalars + tuple(Param(d, "dim", "i64") for d in spec.dims)


def _caches_state() -> ToolState:
    """What the system says of the caches, and what kernels for this machine are cut for."""
    reading, used = this_machine(), caches_of()
    given = "" if used == reading.usable else f"; kernels are cut for {used}"
    cost = "kernels are cut for sizes that most processors have"
    found = None not in (reading.first, reading.second)
    return ToolState("caches", found, f"{reading.describe()} a core{given}", cost, f"set {SIZES}={used}, with the true sizes")


def _tool_state(tool: str, cost: str, hint: str) -> ToolState:
    path = shutil.which(tool)
    return ToolState(tool, path is not None, path or "", cost, hint)


def _unit_state(unit: str) -> ToolState:
    """What this machine's processor multiplies words by."""
    is_tiles, kind = unit.startswith("tiles"), unit.removeprefix("tiles of ").removeprefix("dots of ")
    refused = is_tiles and is_present(unit) and tiles() == "refused"
    cost = f"products of {kind} take {'the dot instructions' if is_tiles else 'multiply-adds of 32 bits'}"
    sets = " or ".join(" and ".join(way) for way in UNITS[unit])
    hint = "the system refuses them (arch_prctl, ARCH_REQ_XCOMP_PERM)" if refused else f"a processor with {sets}"
    found = is_present(unit) and not refused
    return ToolState(unit, found, "by the processor" if found else "", cost, hint)


def _module_state(name: str, cost: str, hint: str) -> ToolState:
    found = importlib.util.find_spec(name) is not None
    return ToolState(name, found, "installed" if found else "", cost, hint)


BACKEND = CpuBackend()
