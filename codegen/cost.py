"""Cost: the time that a kernel's counts take by the rates of a device's table.

    seconds = max over parts (bytes or operations / rate) + launches * time of a launch

What the last cache does not hold until it is read again passes the memory again. A block waits for memory as often as its
longest thread does, one wait after another, and with it those that are on its core at the same time: the latency of each such
round. By Little's law that is what few blocks, and few bytes on their way, draw of the bandwidth. A rate counts all cores of a
device: where a wave leaves cores idle, what the cores do takes waves * cores / blocks as long. Nor is it done before the
longest block is, which has one core at the most.
The units of a core work side by side, each for the cycles that its instructions take.
A count that lies in an interval is taken at its middle, one without an upper bound at its least.

No rate named `-attained` is read: the best time that `uol gap` holds this one against is made from those, and a figure that
both were fitted on would cancel.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from uol.codegen.backend import Backend, Device, Rate, Schedule
from uol.codegen.specs.nodes import KernelSpec
from uol.codegen.work import Issued
from uol.ir.integers.intervals import Interval

INSTEAD = {"f32-matrix": "f32-vector", "f64-matrix": "f64-vector"}
"""What does the products of a device that has no rate for them."""


@dataclass(frozen=True, slots=True)
class Time:
    """Of one kernel: `parts` in seconds by what takes them ("memory", "cache", "scratch", "latency", a kind of operation, a
    primitive, a unit; "launch"), `bound` the part that takes longest beside the launch."""

    seconds: float
    bound: str
    parts: Mapping[str, float]


def time_of(issued: Issued, device: Device) -> Time:
    """What the counts take by the device's rates. A count for which the device has no rate takes no time."""
    parts = dict(_parts(issued, device.rates, _idle(issued, device)))
    launch = issued.launches * device.rates["launch"].si if "launch" in device.rates else 0.0
    bound = max(parts, key=lambda name: parts[name], default="launch")
    return Time(parts.get(bound, 0.0) + launch, bound, parts | {"launch": launch})


def modelled(spec: KernelSpec, schedule: Schedule, backend: Backend, device: Device) -> Time:
    """The time of a spec's kernel with a schedule, by the model."""
    return time_of(backend.issued(spec, schedule, device), device)


def middle(count: Interval) -> float:
    """What a count is taken for.

    >>> middle(Interval(2, 5)), middle(Interval(2, None))
    (3.5, 2.0)
    """
    low = float(count.low or 0)
    return low if count.high is None else (low + count.high) / 2


def _parts(issued: Issued, rates: Mapping[str, Rate], idle: float) -> Iterator[tuple[str, float]]:
    memory = rates.get("bandwidth-streamed") or rates.get("bandwidth")
    if memory is not None:
        yield "memory", (issued.memory_bytes + issued.again_bytes) / memory.si
    if "latency" in rates:
        yield "latency", -(-issued.waves // issued.resident) * issued.waits * rates["latency"].si
    moved = middle(issued.read_bytes) + middle(issued.written_bytes)
    named = {"cache": moved, "scratch": middle(issued.scratch_bytes)}
    for counts in (issued.statements, issued.primitives, issued.operations):  # operations in the place of their statements
        named |= {name: middle(count) for name, count in counts.items()}
    for name, number in named.items():
        rate = rates.get(name) or rates.get(INSTEAD.get(name, ""))
        if rate is not None:
            yield name, number / rate.si * idle
    if "clock" in rates:
        yield from ((unit, middle(count) / rates["clock"].si) for unit, count in issued.cycles.items())


def _idle(issued: Issued, device: Device) -> float:
    """How much longer all takes for the cores that the last wave, or the longest block, leaves without a block."""
    working = max(issued.blocks - issued.leaving, 1)
    return max(1.0, issued.waves * device.cores / working, issued.longest * device.cores)
