"""What this process may use of the machine that it runs on: processors and memory."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")
"""Where the limits of a container are, where it has any (cgroup v2)."""
MEMINFO = Path("/proc/meminfo")


def processors() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def free_memory_bytes() -> int | None:
    """Memory that can be had without swapping: the system's, or what a container's limit leaves. None: the system does not
    say."""
    try:
        available = re.search(r"^MemAvailable:\s*(\d+) kB", MEMINFO.read_text(), re.MULTILINE)
    except OSError:
        return None
    known = [room for room in (int(available[1]) * 1024 if available else None, _left_in_container()) if room is not None]
    return min(known, default=None)


def _left_in_container() -> int | None:
    """What is left below the container's limit, files that can be dropped from memory counted as free."""
    try:
        limit, used = ((CGROUP / name).read_text().strip() for name in ("memory.max", "memory.current"))
        droppable = re.search(r"^inactive_file (\d+)", (CGROUP / "memory.stat").read_text(), re.MULTILINE)
    except OSError:
        return None
    return None if limit == "max" else max(0, int(limit) - int(used) + (int(droppable[1]) if droppable else 0))


class Budget:
    """An amount of memory that threads share: each takes what it needs, or waits until it is there. One that needs more than
    there is runs alone.

    >>> budget = Budget(10)
    >>> with budget.of(7): pass
    """

    def __init__(self, total: int) -> None:
        self._free = self._total = total
        self._changed = threading.Condition()

    @contextmanager
    def of(self, amount: int) -> Iterator[None]:
        """Holds an amount for as long as the context lasts."""
        amount = min(amount, self._total)
        with self._changed:
            self._changed.wait_for(lambda: self._free >= amount)
            self._free -= amount
        try:
            yield
        finally:
            with self._changed:
                self._free += amount
                self._changed.notify_all()
