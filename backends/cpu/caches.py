"""Data caches of the processor that kernels are cut for, in bytes that one core may count on.

    read        from Linux's /sys: of each level its size over the cores that share it, and of unlike cores the least
    clamped     between a floor and a ceiling: a virtual machine may report what no core has
    stated      what is not read: where the system does not say, and for a processor that `UOL_CPU` names
    given       by `UOL_CPU_CACHES`, which a bundle records

Nothing rests on the third level: what a core has of it depends on what the others do, and reports of it are the least reliable
(480 MiB for two cores). Nothing here needs TVM.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from uol.ir.errors import UolError

SIZES = "UOL_CPU_CACHES"
"""The environment variable that gives the sizes."""
SYSTEM = Path("/sys/devices/system/cpu")
"""Documented in Linux's Documentation/ABI/testing/sysfs-devices-system-cpu: cpu<n>/cache/index<n>."""
KIB = 1024


@dataclass(frozen=True, slots=True)
class Caches:
    """Bytes of the first and of the second level that hold data of one core."""

    first: int
    second: int

    @property
    def sliver_bytes(self) -> int:
        """What is kept in the first level while other data pass through it: half."""
        return self.first // 2

    @property
    def panel_bytes(self) -> int:
        """What is read from the first level again and again while a little passes through it: three quarters."""
        return 3 * self.first // 4

    @property
    def block_bytes(self) -> int:
        """What is kept in the second level while other data pass through it: half."""
        return self.second // 2

    def __str__(self) -> str:
        """As `UOL_CPU_CACHES` gives them.

        >>> str(Caches(49152, 1048576))
        '48K,1024K'
        """
        return f"{self.first // KIB}K,{self.second // KIB}K"


STATED = Caches(32 * KIB, 512 * KIB)
"""What processors of servers have at least: Zen since the first, Neoverse N1 (64 KiB, 512 KiB or more), Skylake-SP (1 MiB)."""
LEAST = Caches(32 * KIB, 256 * KIB)
"""Below, tiles and blocks would be too small to be worth their loops."""
MOST = Caches(64 * KIB, 1024 * KIB)
"""Above, a block of panels would not fit the stack of a thread, and the pages that it lies in no translation buffer."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What the system says of each level, per core; None where it does not."""

    first: int | None
    second: int | None

    @property
    def usable(self) -> Caches:
        """What kernels are cut for."""
        first = _within(self.first or STATED.first, LEAST.first, MOST.first)
        return Caches(first, _within(self.second or STATED.second, LEAST.second, MOST.second))

    def describe(self) -> str:
        """What was read of each level, and what it is taken as where that is something else."""
        levels = ((1, self.first, self.usable.first), (2, self.second, self.usable.second))
        return ", ".join(_described(f"L{level}", read, used) for level, read, used in levels)


def caches(named: str = "") -> Caches:
    """Of the processor of that name, or of this machine where none is named. Raises UolError where `UOL_CPU_CACHES` is no
    sizes."""
    given = os.environ.get(SIZES, "").strip()
    if given:
        return _parsed(given)
    return STATED if named else this_machine().usable


def this_machine() -> Reading:
    """What the system says of the cores that this process may use."""
    allowed = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1)
    return read(SYSTEM, frozenset(allowed))


@cache
def read(system: Path, cores: frozenset[int]) -> Reading:
    """What a folder as `SYSTEM` says of these cores: of each level the least of them, of the core that has least."""
    levels = [dict(_levels(system / f"cpu{core}" / "cache", cores)) for core in cores]
    return Reading(*(min((found[n] for found in levels if n in found), default=None) for n in (1, 2)))


def _levels(folder: Path, cores: frozenset[int]) -> Iterator[tuple[int, int]]:
    """Levels that hold data, and what one core has of each; those whose files say so."""
    for index in sorted(folder.glob("index*")):
        try:
            level, kind, size, shared = ((index / n).read_text().strip() for n in ("level", "type", "size", "shared_cpu_list"))
            if kind in ("Data", "Unified"):
                yield int(level), _bytes(size) // _sharing(shared, cores)
        except (OSError, ValueError):
            continue


def _bytes(text: str) -> int:
    """`"32K"` as a number of bytes. Raises ValueError for anything else, and for none."""
    found = re.fullmatch(r"([1-9]\d*)([KM])", text)
    if found is None:
        raise ValueError(f"{text!r} is no size")
    return int(found[1]) * {"K": KIB, "M": KIB * KIB}[found[2]]


def _sharing(text: str, cores: frozenset[int]) -> int:
    """How many of the cores are in a list as `"0-3,8"`; 1 where none is. Raises ValueError for what is no list."""
    parts = [part.partition("-") for part in text.split(",")]
    ends = [(int(first), int(last if dash else first)) for first, dash, last in parts]
    return max(1, sum(any(first <= core <= last for first, last in ends) for core in cores))


def _parsed(text: str) -> Caches:
    """What `UOL_CPU_CACHES` says."""
    try:
        first, second = map(_bytes, text.split(","))
    except ValueError:
        first = second = 0
    found = Caches(first, second)
    if found != Reading(first, second).usable:
        raise UolError(f"{SIZES} is {text!r}", hint=f"it is the first and the second level of a core, from {LEAST} to {MOST}")
    return found


def _within(size: int, least: int, most: int) -> int:
    return max(least, min(size, most))


def _described(level: str, read: int | None, used: int) -> str:
    if read is None:
        return f"{level} not read, taken as {used // KIB} KiB"
    return f"{level} {read // KIB} KiB" + ("" if read == used else f", taken as {used // KIB} KiB")
