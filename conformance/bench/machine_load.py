"""Whether the machine was quiet while a pass was measured: what others took of its cores, and how far the times spread.

    others   (busy time of the cores - CPU time of this process) / (wall time * cores)
    stolen   time that a hypervisor gave to other machines / (wall time * cores)
    spread   (upper quartile - lower quartile) / median, of the medians of a side's turns

Busy and stolen time are those of the cores that this process may run on, from `/proc/stat` (proc(5)): elsewhere they are not
known, and the spread alone tells.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

MOST_OTHERS, MOST_STOLEN = 0.10, 0.02
"""Shares of the cores' time. A system that is left alone takes 1 to 2 %; a hypervisor takes a core whole, at any place."""
MOST_SPREAD = 0.10
"""Of the seven turns of a side whose quartiles are so far apart, the median is off by 3 to 4 % (its standard error, of times
that are normally distributed), and 5 % are judged."""
FEWEST_TURNS = 4
"""Of fewer turns quartiles say nothing."""
SHORTEST = 0.25
"""Seconds of all cores together that are read: the system counts in hundredths."""
IDLE, IO_WAIT, STOLEN, GUEST = 3, 4, 7, 8
"""Columns of a core's line; those from `GUEST` on are in the first two as well."""


@dataclass(frozen=True, slots=True)
class Reading:
    """Seconds since some time ago: of the clock, of this process's CPU time, and of all its cores together what was busy and
    what was stolen; and the load average of the last minute, a number of processes."""

    wall: float
    own: float
    busy: float
    stolen: float
    cores: int
    load: float


def read_machine(folder: Path = Path("/proc")) -> Reading | None:
    """What the machine has done up to now; None where the system does not tell."""
    try:
        usable = {f"cpu{number}" for number in os.sched_getaffinity(0)}
        lines = [line.split() for line in (folder / "stat").read_text(encoding="ascii").splitlines()]
        ticks = [[int(number) for number in numbers] for name, *numbers in lines if name in usable]
        load = float((folder / "loadavg").read_text(encoding="ascii").split()[0])
        second = os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, AttributeError):  # no Linux, or one that shows something else
        return None
    if not ticks or any(len(core) <= STOLEN for core in ticks):
        return None
    stolen = sum(core[STOLEN] for core in ticks)
    idle = sum(core[IDLE] + core[IO_WAIT] for core in ticks)
    busy = sum(sum(core[:GUEST]) for core in ticks) - idle - stolen
    return Reading(time.perf_counter(), time.process_time(), busy / second, stolen / second, len(ticks), load)


@dataclass(frozen=True, slots=True)
class Disturbance:
    """What disturbed a pass, as shares of 1: None where that is not known."""

    others: float | None = None
    stolen: float | None = None
    load: float | None = None
    uol_spread: float | None = None
    pytorch_spread: float | None = None

    @staticmethod
    def between(
        before: Reading | None, after: Reading | None, uol: Sequence[float] = (), pytorch: Sequence[float] = ()
    ) -> Disturbance:
        """Of what was measured between two readings, with the medians of each side's turns.

        >>> Disturbance.between(Reading(0, 0, 0, 0, 2, 3.0), Reading(10, 5, 15, 1, 2, 4.0))
        Disturbance(others=0.5, stolen=0.05, load=4.0, uol_spread=None, pytorch_spread=None)
        """
        others = stolen = None
        if before is not None and after is not None and (time_of_cores := (after.wall - before.wall) * after.cores) >= SHORTEST:
            others = max(0.0, (after.busy - before.busy) - (after.own - before.own)) / time_of_cores
            stolen = (after.stolen - before.stolen) / time_of_cores
        load = None if after is None else after.load
        return Disturbance(others, stolen, load, spread(uol), spread(pytorch))

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why what was measured is not judged: none where the machine was quiet."""
        found = (
            ("other processes took {:.0%} of the cores' time", self.others, MOST_OTHERS),
            ("the hypervisor took {:.0%} of the cores' time", self.stolen, MOST_STOLEN),
            ("uol's times spread by {:.0%}", self.uol_spread, MOST_SPREAD),
            ("PyTorch's times spread by {:.0%}", self.pytorch_spread, MOST_SPREAD),
        )
        return tuple(text.format(share) for text, share, most in found if share is not None and share > most)


def spread(times: Sequence[float]) -> float | None:
    """How far the quartiles are apart, as a share of the median; None of too few times.

    >>> spread([1.0, 2.0, 2.0, 2.0, 3.0]), spread([2.0, 2.0, 3.0, 4.0, 4.0]), spread([1.0, 2.0])
    (0.0, 0.6666666666666666, None)
    """
    if len(times) < FEWEST_TURNS:
        return None
    low, middle, high = statistics.quantiles(times, n=4, method="inclusive")
    return (high - low) / middle
