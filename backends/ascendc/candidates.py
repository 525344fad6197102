"""Which schedules a spec has, and the kernel of each."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from uol.backends.ascendc.buffers import Overflow
from uol.backends.ascendc.collapse import collapsed
from uol.backends.ascendc.cube_kernel import CubeKernel, cube_kernel
from uol.backends.ascendc.cube_tiling import cube_candidates
from uol.backends.ascendc.devices import VECTOR_CORES_PER_CUBE_CORE
from uol.backends.ascendc.map_kernel import map_kernel
from uol.backends.ascendc.operands import operand_type
from uol.backends.ascendc.reduce_kernel import reduce_kernel
from uol.backends.ascendc.rendering import rendered
from uol.backends.ascendc.schedules import AscendSchedule, CubeSchedule, VectorSchedule
from uol.backends.ascendc.tiling import reduce_candidates, tile_candidates
from uol.backends.ascendc.values import Unsupported
from uol.backends.ascendc.vector_kernel import VectorKernel
from uol.codegen.backend import Device, Kernel
from uol.codegen.spec import Contract, KernelSpec, Map, Pack, Reduce


def schedules_of(spec: KernelSpec, device: Device) -> Iterator[AscendSchedule]:
    """Candidates, best first."""
    small = collapsed(spec)
    cores = device.cores * VECTOR_CORES_PER_CUBE_CORE
    match small:
        case Map(index=index) | Pack(index=index):
            yield from tile_candidates(small, index, cores)
        case Reduce():
            yield from reduce_candidates(small, cores)
        case Contract():
            yield from cube_candidates(small, operand_type(small), device.cores)


@lru_cache(maxsize=256)
def kernel_of(spec: KernelSpec, schedule: AscendSchedule) -> Kernel | Overflow:
    """The kernel of a spec with a schedule."""
    small = collapsed(spec)
    kernel: VectorKernel | CubeKernel
    match small:
        case Map() | Pack():
            assert isinstance(schedule, VectorSchedule)
            kernel = map_kernel(small, schedule)
        case Reduce():
            assert isinstance(schedule, VectorSchedule)
            kernel = reduce_kernel(small, schedule)
        case Contract():
            assert isinstance(schedule, CubeSchedule)
            kernel = cube_kernel(small, schedule)
        case _:
            raise Unsupported(f"no kernel for a {type(small).__name__}")
    core = "aic" if isinstance(small, Contract) else "aiv"
    return rendered(small, spec, kernel.names, kernel.builder.top, schedule, core)
