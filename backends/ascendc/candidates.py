"""Which schedules a spec has, and the kernel of each."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from uol.backends.ascendc.arithmetic.int64_arithmetic import in_words
from uol.backends.ascendc.cube.kernel import cube_kernel
from uol.backends.ascendc.cube.operands import operand_type
from uol.backends.ascendc.cube.tiling import cube_candidates
from uol.backends.ascendc.devices import VECTOR_CORES_PER_CUBE_CORE
from uol.backends.ascendc.machine import C_TYPE
from uol.backends.ascendc.memory.buffers import Overflow
from uol.backends.ascendc.rendering import rendered
from uol.backends.ascendc.schedules import AscendSchedule, CubeSchedule, VectorSchedule
from uol.backends.ascendc.transfers.computed_fills import with_fills_of_copies
from uol.backends.ascendc.vector.map_kernel import map_kernel
from uol.backends.ascendc.vector.reduce_kernel import reduce_kernel
from uol.backends.ascendc.vector.tiling import reduce_candidates, tile_candidates
from uol.backends.ascendc.vector.values import Unsupported
from uol.codegen.backend import Device, Kernel
from uol.codegen.specs.collapse_axes import collapsed
from uol.codegen.specs.nodes import Contract, KernelSpec, Map, Pack, Reduce

CACHED_KERNELS = 512


def schedules_of(spec: KernelSpec, device: Device) -> Iterator[AscendSchedule]:
    """Candidates, best first."""
    if _unknown_types(spec):
        yield VectorSchedule("", 1)  # the check says why there is no kernel
        return
    small = in_words(collapsed(with_fills_of_copies(spec)))
    cores = device.cores * VECTOR_CORES_PER_CUBE_CORE
    match small:
        case Map(index=index) | Pack(index=index):
            yield from tile_candidates(small, index, cores)
        case Reduce():
            yield from reduce_candidates(small, cores)
        case Contract():
            yield from cube_candidates(small, operand_type(small), device.cores)


@lru_cache(maxsize=CACHED_KERNELS)
def kernel_of(spec: KernelSpec, schedule: AscendSchedule) -> Kernel | Overflow:
    """The kernel of a spec with a schedule. Raises Unsupported where there can be none."""
    if unknown := _unknown_types(spec):
        raise Unsupported(
            f"no {' and no '.join(unknown)} on this machine", "use f32, f16, bf16 or integers, or another target, such as cpu"
        )
    small = in_words(collapsed(with_fills_of_copies(spec)))
    match small, schedule:
        case Map() | Pack(), VectorSchedule():
            vector = map_kernel(small, schedule)
        case Reduce(), VectorSchedule():
            vector = reduce_kernel(small, schedule)
        case Contract(), CubeSchedule():
            cube = cube_kernel(small, schedule)
            return rendered(small, spec, cube.names, cube.builder.top, schedule, "aic")
        case _:
            cores = "cube cores" if isinstance(small, Contract) else "vector cores"
            raise Unsupported(
                f"a {type(small).__name__} runs on {cores}, not by a {type(schedule).__name__}",
                "take one of the backend's schedules",
            )
    return rendered(small, spec, vector.names, vector.builder.top, schedule, "aiv")


def nearest(spec: KernelSpec, device: Device) -> str | None:
    """The first candidate that fits, in words."""
    for schedule in schedules_of(spec, device):
        try:
            fits = not isinstance(kernel_of(spec, schedule), Overflow)
        except Unsupported:
            continue
        if fits:
            return schedule.describe()
    return None


def _unknown_types(spec: KernelSpec) -> list[str]:
    return sorted({a.dtype for a in spec.args} - C_TYPE.keys())
