"""The processor of this machine."""

from __future__ import annotations

import hashlib
import platform
from functools import cache
from pathlib import Path


@cache
def processor() -> str:
    """Model and instruction sets: a kernel built for AVX-512 must not run without."""
    named = _fields()
    if not named:
        return f"{platform.machine()} {platform.processor()}"
    flags = " ".join(sorted(instruction_sets()))
    return f"{platform.machine()} {named.get('model name', '')} {hashlib.sha256(flags.encode()).hexdigest()[:16]}"


@cache
def instruction_sets() -> frozenset[str]:
    """As Linux names them; none where it does not tell."""
    named = _fields()
    return frozenset(named.get("flags", named.get("Features", "")).split())


def _fields() -> dict[str, str]:
    """What Linux tells of the first core; nothing on other systems."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return {}
    fields = dict(line.split(":", 1) for line in reversed(lines) if ":" in line)
    return {key.strip(): value.strip() for key, value in fields.items()}
