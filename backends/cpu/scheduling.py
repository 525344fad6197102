"""From a spec to a schedule and from both to a PrimFunc: which room handles which kind."""

from __future__ import annotations

from functools import lru_cache

from uol.backends.cpu.expressions.dtypes import Term
from uol.backends.cpu.host import Host
from uol.backends.cpu.schedules.alternatives import alternatives
from uol.backends.cpu.schedules.kinds import (
    Additions,
    CpuSchedule,
    Dots,
    Elementwise,
    Loops,
    Order,
    Panels,
    Reduction,
    Strips,
    Sweep,
    Tiles,
)
from uol.codegen.indexing.arithmetic import static
from uol.codegen.specs.nodes import Attention, Contract, KernelSpec, Map, Pack, Reduce, Scan, Scatter, Select

KEPT_CANDIDATES = 16
"""A schedule is chosen among a kernel's candidates and then checked against them: they are found once."""


@lru_cache(maxsize=KEPT_CANDIDATES)
def candidates(spec: KernelSpec, host: Host) -> tuple[CpuSchedule, ...]:
    """Schedules of a spec, best first, then those beside the best, plain loops last. With an extent that is an argument, but
    for those of its batch, rows and cols, an attention is plain loops, and a scatter with any."""
    if _needs_sizes(spec):
        return (Loops(),)
    best, sizes_are_known = _best(spec, host), all(static(a.extent) is not None for a in spec.axes)
    return (*best, *(alternatives(best[0], host) if best and sizes_are_known else ()), Loops())


def _best(spec: KernelSpec, host: Host) -> tuple[CpuSchedule, ...]:
    from uol.backends.cpu.schedules import attentions, contraction, elementwise, reduction, scans, scatters, selects

    match spec:
        case Map() | Pack():
            return elementwise.candidates(spec, host)
        case Reduce():
            return reduction.candidates(spec, host)
        case Contract():
            return contraction.candidates(spec, host)
        case Attention():
            return attentions.candidates(spec, host)
        case Scan():
            return scans.candidates(spec, host)
        case Scatter():
            return scatters.candidates(spec, host)
        case Select():
            return selects.candidates(spec, host)
    return ()


def _needs_sizes(spec: KernelSpec) -> bool:
    """Are its schedules for extents that are numbers, and these are not?"""
    free = (*spec.batch, *spec.rows, *spec.cols) if isinstance(spec, Attention) else ()
    return isinstance(spec, Attention | Scatter) and any(static(a.extent) is None for a in spec.axes if a not in free)


def primfunc(spec: KernelSpec, schedule: CpuSchedule) -> Term:
    """The scheduled kernel. Raises TypeError where the schedule is none of the spec's."""
    from uol.backends.cpu.expressions.fast_functions import FAST
    from uol.backends.cpu.oracle.primfunc import unscheduled
    from uol.backends.cpu.schedules import attentions, contraction, elementwise, reduction, scans, scatters, selects

    match spec, schedule:
        case _, Loops():
            return unscheduled(spec, FAST)
        case ((Map() | Pack()), Elementwise()):
            return elementwise.scheduled(spec, schedule)
        case Reduce(), Reduction():
            return reduction.scheduled(spec, schedule)
        case Contract(), (Tiles() | Dots() | Panels()):
            return contraction.scheduled(spec, schedule)
        case Attention(), Strips():
            return attentions.scheduled(spec, schedule)
        case Scan(), Sweep():
            return scans.scheduled(spec, schedule)
        case Scatter(), Additions():
            return scatters.scheduled(spec, schedule)
        case Select(), Order():
            return selects.scheduled(spec, schedule)
    raise TypeError(f"{type(schedule).__name__} does not schedule a {type(spec).__name__}")
