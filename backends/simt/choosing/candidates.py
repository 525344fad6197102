"""The schedules that a kernel may take, best first, and whether it fits the machine with one: asked before any text is made."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from math import inf

from uol.backends.simt.choosing import kinds
from uol.backends.simt.kernel.schedule_kind import ScheduleKind, no_such_schedule
from uol.backends.simt.machine.target import Machine
from uol.codegen.backend import Device, Footprint, Refusal, Schedule
from uol.codegen.cost import time_of
from uol.codegen.specs.nodes import KernelSpec
from uol.codegen.work import compulsory

Cost = tuple[float, float]
BEFORE_ALL: Cost = (0, 0)


def candidates(spec: KernelSpec, machine: Machine, device: Device) -> Iterable[Schedule]:
    """Every schedule that a spec may take on a device, in the order in which they are worth trying: that of the kinds, and of
    kinds with counts that of their modelled time."""
    found = [(kind, each) for kind in kinds.kinds_for(spec) for each in kind.candidates(spec, machine, device)]
    return [each for _, each in sorted(found, key=lambda pair: _cost(spec, pair[0], pair[1], device))]


def _cost(spec: KernelSpec, kind: ScheduleKind, schedule: Schedule, device: Device) -> Cost:
    """The modelled time; of tiles whose longest part is alike, as one wait for memory is, that of all parts one by one."""
    if kind.counts is None:
        return BEFORE_ALL
    time = time_of(kind.counts(spec, schedule, device), device)
    return time.seconds, sum(time.parts.values())


def estimate(spec: KernelSpec, machine: Machine, device: Device) -> float:
    """The seconds that the kernel of a spec of known sizes takes with the first schedule that fits, by its counts in closed
    form, or those of a kernel that does just what it must; endless where there is none."""
    for schedule in candidates(spec, machine, device):
        if isinstance(check(spec, schedule, machine), Footprint):
            kind = kinds.kind_of(spec, schedule)
            must = replace(compulsory(spec), blocks=device.cores)  # no core idle
            assert kind is not None, "it has given the schedule"
            if kind.counts is not None:
                must = replace(kind.counts(spec, schedule, device), memory_bytes=must.memory_bytes)
            elif kind.estimate is not None:
                must = replace(kind.estimate(spec, schedule, machine, device), memory_bytes=must.memory_bytes)
            return time_of(must, device).seconds
    return inf


def check(spec: KernelSpec, schedule: Schedule, machine: Machine) -> Footprint | Refusal:
    """Shared bytes, threads and grid of a kernel, or why it cannot be one."""
    known = machine.target.capability.dtypes
    if types := sorted({a.dtype for a in spec.args} - known):
        return Refusal(f"{machine.target.name} kernels hold no {types[0]}", f"one of {', '.join(sorted(known))}")
    kind = kinds.kind_of(spec, schedule)
    return no_such_schedule(spec, schedule) if kind is None else kind.check(spec, schedule, machine)
