"""How long each pipe of the busiest core takes, in cycles, by the vendor's tables (`cycles.toml`, `rates.toml`).

    V       sum of slope * repeats, and for every barrier the tail of the instruction before it and the head of the one behind
    M       sum of 6 + products of 16 x 16 x 32 bytes, each of which takes one cycle for f16, two for f32
    MTE1, FIX     bytes / bytes a cycle of the path, the latter in whole blocks of 32 bytes
    MTE2, MTE3    the same, and the head of each copy; a burst takes at least some cycles
    S       a cycle for an instruction, flag or barrier that it hands out, more for one with a mask, and its accesses

What no source has, and is free: the scalar unit's arithmetic on addresses and loops, the latency of a copy.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from math import ceil
from pathlib import Path

import numpy as np

from uol.backends.ascendc.devices import RATES
from uol.backends.ascendc.machine import BLOCK_BYTES, FRACTAL_BYTES, PRODUCT_CYCLES
from uol.backends.ascendc.work.scalars import Numbers
from uol.backends.ascendc.work.tally import Primitive, Sum, Tally
from uol.ir.integers.intervals import Interval
from uol.ir.types import DTYPES, is_float

TABLE = Path(__file__).parents[1] / "cycles.toml"
MMAD_STARTUP = 6
"""Cycles before the first product of an Mmad (asc-devkit, appendix, table of Mmad)."""
CALLS = {"V": 5}
"""What the scalar unit hands out for an instruction: beside itself four calls for the mask that counts lanes."""


def cycles_of(tally: Tally) -> dict[str, Interval]:
    """By pipe, of the core that takes longest."""
    return {pipe: Interval(int(least.max()), ceil(most.max())) for pipe, (least, most) in _by_core(tally).items()}


def _by_core(tally: Tally) -> dict[str, tuple[Numbers, Numbers]]:
    found: dict[str, tuple[Numbers, Numbers]] = {}

    def add(pipe: str, cycles: float, number: Sum) -> None:
        least, most = found.setdefault(pipe, (np.zeros(tally.blocks), np.zeros(tally.blocks)))
        least += cycles * number.least
        most += cycles * number.most

    for kind, issues in tally.issues.items():
        cost = _cost(kind)
        add(kind.pipe, cost.head, issues)
        add(kind.pipe, cost.slope, tally.granules[kind])
        add("S", CALLS.get(kind.pipe, 1) * _scalar("scalar_call"), issues)
        for sums, cycles in ((tally.short, cost.slope), (tally.ragged, cost.ragged)):
            if kind in sums:
                add(kind.pipe, cycles, sums[kind])
    for column, sums in (("head", tally.behind), ("tail", tally.ahead)):
        for kind, number in sums.items():
            add("V", vector_cycles().get(kind.name, {}).get(column, 0.0), number)
    for number in tally.ordering.values():
        add("S", _scalar("scalar_call"), number)
    add("S", _scalar("scalar_access"), tally.reads)
    return {pipe: sums for pipe, sums in found.items() if sums[1].any()}


@dataclass(frozen=True, slots=True)
class _Cost:
    """Cycles of an instruction, and beside them of each granule, and where its bytes are no whole repeats."""

    head: float = 0.0
    slope: float = 0.0
    ragged: float = 0.0


def _cost(kind: Primitive) -> _Cost:
    match kind.pipe:
        case "M":
            return _Cost(MMAD_STARTUP, PRODUCT_CYCLES[DTYPES[kind.dtype].bytes])
        case "S":
            return _Cost(slope=_scalar("scalar_access"))
    if kind.path in RATES["core"]:
        rate = RATES["core"][kind.path].value
        if kind.pipe == "MTE1":
            return _Cost(slope=FRACTAL_BYTES / rate)
        if kind.pipe == "FIX":
            return _Cost(slope=BLOCK_BYTES / rate)
        return _Cost(_scalar("copy_head"), BLOCK_BYTES / rate)
    line = vector_cycles().get(kind.name, {})
    return _Cost(slope=line.get(_column(kind.dtype), 0.0), ragged=line.get("ragged", 0.0))


def _scalar(name: str) -> float:
    return RATES["core"][name].value


def _column(dtype: str) -> str:
    if dtype not in DTYPES or not is_float(dtype):
        return "integer"
    return "f16" if DTYPES[dtype].bytes == 2 else "f32"


@cache
def vector_cycles() -> Mapping[str, Mapping[str, float]]:
    """The table of the vector instructions, by name."""
    return tomllib.loads(TABLE.read_text(encoding="utf-8"))
