"""Which schedules a spec has, and the plan of each: its instructions, and where its buffers lie."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Literal

from uol.backends.ascendc.cube.kernel import cube_kernel
from uol.backends.ascendc.cube.product import CubeProduct, cube_candidates, misfit
from uol.backends.ascendc.devices import VECTOR_CORES_PER_CUBE_CORE
from uol.backends.ascendc.instructions import Block
from uol.backends.ascendc.machine import C_TYPE, FRACTAL
from uol.backends.ascendc.memory import MemoryLayout, Overflow, memory_layout
from uol.backends.ascendc.schedules import AscendSchedule, CubeSchedule, VectorSchedule
from uol.backends.ascendc.sync.dependences import Plan, synchronise
from uol.backends.ascendc.vector.map_kernel import map_kernel
from uol.backends.ascendc.vector.reduce_kernel import reduce_kernel
from uol.backends.ascendc.vector.tiling import reduce_candidates, tile_candidates
from uol.backends.ascendc.vector.values import Unsupported
from uol.backends.ascendc.writer import KernelNames, KernelWriter
from uol.codegen.backend import Device, Footprint
from uol.codegen.specs.nodes import Contract, KernelSpec, Map, Pack, Reduce

KEPT_PLANS = 64
"""More than a spec has candidates: what was checked is rendered without another plan, and so is the nearest that fits found."""


@dataclass(frozen=True)
class KernelPlan:
    """A kernel before it is printed. `index` is the C type of its indices."""

    spec: KernelSpec
    schedule: AscendSchedule
    core: Literal["aiv", "aic"]
    names: KernelNames
    index: str
    program: Block
    layout: MemoryLayout
    footprint: Footprint

    @cached_property
    def order(self) -> Plan:
        """The flags and barriers that its text has, and that are counted."""
        return synchronise(self.program, self.layout.addresses)


def schedules_of(spec: KernelSpec, device: Device) -> Iterator[AscendSchedule]:
    """Candidates, best first. A spec that has no kernel has one, too: the check says why."""
    cores = device.cores * VECTOR_CORES_PER_CUBE_CORE
    match spec:
        case _ if _unknown_types(spec):
            yield VectorSchedule("", 1)
        case Map(index=index) | Pack(index=index):
            yield from tile_candidates(spec, index, cores)
        case Reduce():
            yield from reduce_candidates(spec, cores)
        case CubeProduct():
            yield from cube_candidates(spec, device.cores)
        case Contract():
            yield CubeSchedule(FRACTAL, FRACTAL, FRACTAL)


@lru_cache(maxsize=KEPT_PLANS)
def plan_of(spec: KernelSpec, schedule: AscendSchedule) -> KernelPlan | Overflow:
    """The plan of a spec with a schedule. Raises Unsupported where there can be none."""
    writer = _written(spec, schedule)
    layout = memory_layout(writer.builder.top)
    if isinstance(layout, Overflow):
        return layout
    return KernelPlan(
        spec=spec,
        schedule=schedule,
        core="aic" if isinstance(spec, Contract) else "aiv",
        names=writer.names,
        index=writer.builder.index,
        program=writer.builder.top,
        layout=layout,
        footprint=Footprint(layout.bytes_by_memory(), (schedule.blocks, 1, 1)),
    )


def _written(spec: KernelSpec, schedule: AscendSchedule) -> KernelWriter:
    if unknown := _unknown_types(spec):
        raise Unsupported(
            f"no {' and no '.join(unknown)} on this machine", "use f32, f16, bf16 or integers, or another target, such as cpu"
        )
    match spec, schedule:
        case Map() | Pack(), VectorSchedule():
            return map_kernel(spec, schedule)
        case Reduce(), VectorSchedule():
            return reduce_kernel(spec, schedule)
        case CubeProduct(), CubeSchedule():
            return cube_kernel(spec, schedule)
        case Contract(), CubeSchedule():
            raise misfit(spec)
    cores = "cube cores" if isinstance(spec, Contract) else "vector cores"
    raise Unsupported(
        f"a {type(spec).__name__} runs on {cores}, not by a {type(schedule).__name__}", "take one of the backend's schedules"
    )


def nearest(spec: KernelSpec, device: Device) -> str | None:
    """The first candidate that fits, in words."""
    for schedule in schedules_of(spec, device):
        try:
            fits = not isinstance(plan_of(spec, schedule), Overflow)
        except Unsupported:
            continue
        if fits:
            return schedule.describe()
    return None


def _unknown_types(spec: KernelSpec) -> list[str]:
    return sorted({a.dtype for a in spec.args} - C_TYPE.keys())
