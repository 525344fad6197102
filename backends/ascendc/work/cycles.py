"""How long each pipe of the busiest core takes, in cycles, by the vendor's tables (`cycles.toml`, `rates.toml`).

    V       sum of startup + slope * repeats
    M       sum of 6 + products of 16 x 16 x 32 bytes, each of which takes one cycle for f16, two for f32
    MTE1    bytes / bytes a cycle of the path
    MTE2, MTE3, FIX    the same, in whole blocks of 32 bytes

The scalar unit has no table: its statements are counted, and take no time.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from math import ceil
from pathlib import Path

import numpy as np

from uol.backends.ascendc.devices import RATES
from uol.backends.ascendc.machine import BLOCK_BYTES, FRACTAL_BYTES, PRODUCT_CYCLES
from uol.backends.ascendc.work.scalars import Numbers
from uol.backends.ascendc.work.tally import Primitive, Tally
from uol.ir.integers.intervals import Interval
from uol.ir.types import DTYPES, is_float

TABLE = Path(__file__).parents[1] / "cycles.toml"
MMAD_STARTUP = 6
"""Cycles before the first product of an Mmad (asc-devkit, appendix, table of Mmad)."""


def cycles_of(tally: Tally) -> dict[str, Interval]:
    """By pipe, of the core that takes longest."""
    return {pipe: Interval(int(least.max()), ceil(most.max())) for pipe, (least, most) in _by_core(tally).items()}


def _by_core(tally: Tally) -> dict[str, tuple[Numbers, Numbers]]:
    found: dict[str, tuple[Numbers, Numbers]] = {}
    for kind, issues in tally.issues.items():
        startup, slope = _line(kind)
        granules = tally.granules[kind]
        least, most = found.setdefault(kind.pipe, (np.zeros(tally.blocks), np.zeros(tally.blocks)))
        least += startup * issues.least + slope * granules.least
        most += startup * issues.most + slope * granules.most
    return {pipe: sums for pipe, sums in found.items() if sums[1].any()}


def _line(kind: Primitive) -> tuple[float, float]:
    """Cycles of an instruction, and of each granule of it."""
    if kind.pipe == "M":
        return MMAD_STARTUP, PRODUCT_CYCLES[DTYPES[kind.dtype].bytes]
    if kind.path in RATES["core"]:
        size = FRACTAL_BYTES if kind.pipe == "MTE1" else BLOCK_BYTES
        return 0.0, size / RATES["core"][kind.path].value
    line = vector_cycles().get(kind.name, {})
    return line.get("startup", 0.0), line.get(_column(kind.dtype), 0.0)


def _column(dtype: str) -> str:
    if dtype not in DTYPES or not is_float(dtype):
        return "integer"
    return "f16" if DTYPES[dtype].bytes == 2 else "f32"


@cache
def vector_cycles() -> Mapping[str, Mapping[str, float]]:
    """The table of the vector instructions, by name."""
    return tomllib.loads(TABLE.read_text(encoding="utf-8"))
