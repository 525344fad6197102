"""The processor of this machine."""

from __future__ import annotations

import hashlib
import platform
from functools import cache
from pathlib import Path


@cache
def processor() -> str:
    """Model and instruction sets: a kernel built for AVX-512 must not run without."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return f"{platform.machine()} {platform.processor()}"
    fields = dict(line.split(":", 1) for line in reversed(lines) if ":" in line)
    named = {key.strip(): value.strip() for key, value in fields.items()}
    flags = " ".join(sorted(named.get("flags", named.get("Features", "")).split()))
    return f"{platform.machine()} {named.get('model name', '')} {hashlib.sha256(flags.encode()).hexdigest()[:16]}"
