"""The roofline of a case: what its bytes and operations take at least, by the data sheet of the device.

    max(bytes that are read and written once / bandwidth, operations of a kind / the peak of that kind)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from uol.codegen.backend import Device, Rate
from uol.codegen.cost import INSTEAD
from uol.codegen.indexing.arithmetic import value_at
from uol.codegen.specs.graph import KernelGraph
from uol.codegen.work import work_of as work_of_kernel
from uol.conformance.bench.work import work_of
from uol.ir.program.nodes import Program

MEMORY = "bandwidth"


@dataclass(frozen=True, slots=True)
class Roofline:
    """`bytes` of inputs and results, once each; `operations` by kind, as kernels count them; the time in microseconds and what
    it is bound by: None where the device's table has no bandwidth."""

    bytes: float
    operations: Mapping[str, int]
    time_us: float | None
    bound: str

    def record(self) -> dict[str, object]:
        return {
            "bytes": self.bytes,
            "operations": dict(self.operations),
            "roofline_us": self.time_us,
            "roofline_bound": self.bound,
        }


def roofline_of(program: Program, graph: KernelGraph, device: Device) -> Roofline:
    """Of one operator on a device."""
    moved = work_of(program).bytes
    operations: Counter[str] = Counter()
    for spec in graph.specs:
        for kind, number in work_of_kernel(spec).operations.items():
            operations[kind] += int(value_at(number, {}))
    if MEMORY not in device.rates:
        return Roofline(moved, operations, None, "")
    parts = {MEMORY: moved / device.rates[MEMORY].si}
    for kind, count in operations.items():
        if (rate := rate_of(kind, device)) is not None:
            parts[kind] = count / rate.si
    bound = max(parts, key=lambda name: parts[name])
    return Roofline(moved, operations, parts[bound] * 1e6, bound)


def rate_of(kind: str, device: Device) -> Rate | None:
    """The peak of a kind of operation, or of what does it in its place."""
    return device.rates.get(kind) or device.rates.get(INSTEAD.get(kind, ""))
