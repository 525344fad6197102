"""Cost: the time that a kernel's counts take by the rates of a device's table.

    seconds = max over parts (bytes or operations / rate) + launches * time of a launch

A device's rate counts all of its cores: where the last wave leaves cores idle, a part takes waves * cores / blocks as long.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from uol.codegen.backend import Backend, Device, Schedule
from uol.codegen.specs.nodes import KernelSpec
from uol.codegen.work import Issued


@dataclass(frozen=True, slots=True)
class Time:
    """Of one kernel: `parts` in seconds by what takes them ("memory", "cache", "scratch", a kind of operation, a unit, a primitive,
    "launch"), `bound` the part that takes longest beside the launch."""

    seconds: float
    bound: str
    parts: Mapping[str, float]


def time_of(issued: Issued, device: Device) -> Time:
    """What the counts take by the device's rates. A count for which the device has no rate takes no time."""
    raise NotImplementedError


def modelled(spec: KernelSpec, schedule: Schedule, backend: Backend, device: Device) -> Time:
    """The time of a spec's kernel with a schedule, by the model."""
    return time_of(backend.issued(spec, schedule, device), device)
