"""What a report says about the machine and the versions, and about what ran where."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from uol.backends.cpu.host import usable_cores
from uol.conformance.cases.twin_check import has_twin

_PACKAGES = ("uol", "apache-tvm", "torch", "torchvision", "numpy", "scikit-learn")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a target's kernels ran."""

    target: str
    emulated: bool

    @staticmethod
    def of(target: str) -> Place:
        return Place(target, has_twin(target))

    def __str__(self) -> str:
        if self.emulated:
            return f"{self.target}: emulated, no silicon: the emitted text in the twin on this CPU"
        return f"{self.target}: run here, on this CPU"

    def record(self) -> dict[str, object]:
        return {"target": self.target, "emulated": self.emulated, "text": str(self)}


def places(targets: Iterable[str]) -> tuple[Place, ...]:
    """Where each target ran; those that were emulated are together."""
    return tuple(sorted(map(Place.of, targets), key=lambda place: place.emulated))


def machine_facts() -> dict[str, str]:
    """Facts by name, in the order in which a report shows them; `runs/provenance.py` has those of versions."""
    return {"load": f"{load()} at the beginning, on {usable_cores()} cores"}


def versions() -> dict[str, str]:
    """Of the packages that a result depends on, and of Python; "absent" where there is none."""
    return {**{name: _version(name) for name in _PACKAGES}, "Python": platform.python_version()}


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "absent"


def processor() -> str:
    """The CPU's name."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def load() -> str:
    """Processes that want a core, on average over the last minute: above the number of cores, times say little."""
    return f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown"
