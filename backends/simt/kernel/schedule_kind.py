"""A kind of schedule: everything that the rest of the house asks about it. One room makes it, `choosing/kinds.py` lists it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from uol.backends.simt.c_text.signatures import Signature
from uol.backends.simt.kernel.nodes import Kernel
from uol.backends.simt.kernel.parts import Part
from uol.backends.simt.machine.target import Machine
from uol.codegen.backend import Device, Footprint, Launch, Refusal, Schedule
from uol.codegen.specs.nodes import KernelSpec
from uol.codegen.work import Issued


class TextPlan(Protocol):
    """What the template of a kind that still writes text reads."""

    template: ClassVar[str]

    @property
    def signature(self) -> Signature: ...

    @property
    def launch(self) -> Launch: ...


Plan = Kernel | TextPlan


@dataclass(frozen=True, slots=True)
class ScheduleKind:
    """One way of laying kernels on threads. Its functions are asked for specs of `specs` and schedules of `schedules` alone.

    candidates   the schedules that a spec may take on a device of the machine, best first; none where the kind is not for it
    check        shared bytes, threads and grid; or why the kernel cannot have that schedule
    build        the kernel, of a spec and a schedule that `check` takes
    counts       what tells its schedules from each other and from those of other kinds, in closed form: schedules of kinds that
                 have it are tried in the order of their modelled time. None: in the order of `candidates`
    estimate     the same, of a kind whose candidates come in an order of their own: ways of computing a spec are compared by it
    ways         further ways of computing a spec on a device, each as other specs
    legalise     the specs that are computed for one, where that is not the spec alone, on a device of the machine
    parts        the parts of the sizes that a spec's dims may have, each with a kernel of its own; none where no dim is open
    rounds       how often a launch reads a tensor from memory that no cache holds, of so many blocks that run at a time; None
                 where that is counted from the text

    Of the kinds for a spec the first that has `legalise`, or `parts`, says it for all.
    """

    specs: tuple[type[KernelSpec], ...]
    schedules: tuple[type, ...]
    candidates: Callable[[Any, Machine, Device], Iterable[Schedule]]
    check: Callable[[Any, Any, Machine], Footprint | Refusal]
    build: Callable[[Any, Any, Machine], Plan]
    counts: Callable[[Any, Any, Device], Issued] | None = None
    rounds: Callable[..., int] | None = None
    estimate: Callable[[Any, Any, Machine, Device], Issued] | None = None
    ways: Callable[[Any, Device], Iterable[tuple[KernelSpec, ...]]] | None = None
    legalise: Callable[[Any, Machine, Device], tuple[KernelSpec, ...]] | None = None
    parts: Callable[[Any, Machine], Iterable[Part]] | None = None


def no_such_schedule(spec: KernelSpec, schedule: Schedule) -> Refusal:
    """The refusal of a schedule that is none for a kind of kernel."""
    return Refusal(f"a {type(spec).__name__} kernel has no schedule {type(schedule).__name__}")
