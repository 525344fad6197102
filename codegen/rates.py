"""Rates of devices, read from the table of a backend: `rates.toml`, a section for each device."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, get_args

from uol.codegen.backend import Grade, Rate


@cache
def read_rates(file: Path) -> Mapping[str, Mapping[str, Rate]]:
    """Rates by device and name. Raises ValueError for a figure without unit or source, or of an unknown grade."""
    table = tomllib.loads(file.read_text())
    return {device: {name: _rate(f"{device}.{name}", each) for name, each in rates.items()} for device, rates in table.items()}


def _rate(name: str, fields: Mapping[str, Any]) -> Rate:
    rate = Rate(**fields)
    if not rate.unit or not rate.source or rate.grade not in get_args(Grade) or not rate.value > 0:
        raise ValueError(f"the rate {name} is {fields}: it takes a positive value, a unit, a source, and a grade")
    return rate
