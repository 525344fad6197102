"""Which schedule a kernel gets."""

from __future__ import annotations

from uol.codegen.backend import Backend, Device, Refusal, Schedule
from uol.codegen.specs.nodes import KernelSpec
from uol.ir.errors import RefusalError


def choose(spec: KernelSpec, backend: Backend, device: Device) -> Schedule:
    """The first of the backend's candidates (best first) that passes its pre-flight check.

    Raises RefusalError with every refusal, and the nearest legal tile, where none does.
    """
    refusals: list[Refusal] = []
    for schedule in backend.schedules(spec, device):
        outcome = backend.check(spec, schedule)
        if not isinstance(outcome, Refusal):
            return schedule
        refusals.append(outcome)
    reasons = "; ".join(dict.fromkeys(r.reason for r in refusals)) or "the target has no schedule for such a kernel"
    nearest = next((r.nearest for r in refusals if r.nearest), None)
    raise RefusalError(f"{spec.name} does not fit {backend.name}:{device.name}: {reasons}", hint=nearest)
