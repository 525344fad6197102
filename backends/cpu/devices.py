"""Processors that kernels can be built for. `host` is the machine that compiles; the others are for bundles.

Architectures are LLVM's names: the levels of the x86-64 psABI, and Arm's Neoverse cores. Figures of `host` are read from
the system; for the others only the architecture counts.
"""

from __future__ import annotations

import os
import platform

from uol.backends.cpu.host import NATIVE, core_count
from uol.codegen.backend import Device

X86_64 = ("x86-64-v2", "x86-64-v3", "x86-64-v4")
AARCH64 = ("neoverse-n1", "neoverse-v1")


def devices() -> dict[str, Device]:
    """By name, the machine's own family only: an object of another one cannot be linked here."""
    family = X86_64 if platform.machine() in ("x86_64", "AMD64") else AARCH64
    found = {"host": Device("host", NATIVE, core_count(), _memory_bytes())}
    return found | {name: Device(name, name, core_count(), 0) for name in family}


def _memory_bytes() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):
        return 0
