"""A profile of compiled graphs: their programs run with a clock at each line, which says where the time goes."""

from __future__ import annotations

import time
from collections.abc import Callable

from uol.pytorch.graph.plan import Step
from uol.pytorch.graph.program import written

CALLS = 5


def seconds_by_step(call: Callable[[], object]) -> tuple[float, list[tuple[float, Step | None]]]:
    """Seconds of a call, and of each line of the programs that it runs, with the step whose line it is; None for views and for
    memory. (All programs of the process are taken, of which a call may run one.)"""
    found = written()
    kept = [each.run for each in found]
    clocks = [each.clocked() for each in found]
    try:
        call()
        for clock in clocks:
            clock[:] = [0.0] * len(clock)
        start = time.perf_counter()
        for _ in range(CALLS):
            call()
        total = (time.perf_counter() - start) / CALLS
    finally:
        for each, run in zip(found, kept, strict=True):
            each.run = run
    lines = [
        (s / CALLS, owner) for w, clock in zip(found, clocks, strict=True) for s, owner in zip(clock, w.owner, strict=True)
    ]
    return total, lines


def share_of_time(call: Callable[[], object]) -> float:
    """The part of a call's time that is in kernels of `uol`."""
    total, lines = seconds_by_step(call)
    return sum(s for s, step in lines if step is not None and step.operator is not None) / total
