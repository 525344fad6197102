"""What a report says about the machine, the versions, and where its data come from."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

from uol.conformance.paths.record import PathOptions
from uol.targets import Target

_PACKAGES = ("uol", "apache-tvm", "torch", "torchvision", "numpy", "scikit-learn")


def facts(options: PathOptions, targets: Sequence[Target]) -> dict[str, str]:
    """Facts by name, in the order in which a report shows them."""
    return {
        "targets": ", ".join(t.name for t in targets),
        "picture": options.image.name if options.image else 'scikit-learn\'s photograph "china.jpg", the middle 224 x 224',
        "weights": options.weights.name if options.weights else f"seeded ({options.seed}); statistics of the picture",
        "element type on the twins": options.dtype,
        "processor": f"{_processor()}, {_cores()} cores, load {_load()} when the path began",
        "versions": ", ".join(f"{name} {_version(name)}" for name in _PACKAGES) + f", Python {platform.python_version()}",
    }


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "absent"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def _load() -> str:
    """Processes that want a core, on average over the last minute: above the number of cores, times say little."""
    return f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown"


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
