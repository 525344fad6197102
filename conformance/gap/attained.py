"""What a device attains, from its table of rates, and the best time of a launch there.

    T_ref = max(bytes / bandwidth, operations of products / rate of matrix units) + one launch

The bandwidth is that of a triad, the rate that of the best square product, the launch the least that is published, on every
device; `uol doctor --rates` has the sources. Nothing else is in T_ref, and nothing of it is in the model of a kernel's time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from uol.codegen.backend import Device, Rate
from uol.ir.errors import UolError

ATTAINED = "-attained"


@dataclass(frozen=True, slots=True)
class Attained:
    """`rates`: those that T_ref is computed from, by what they are of ("memory", "matrix", "launch"); `names`: theirs in the
    device's table."""

    rates: Mapping[str, Rate]
    names: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Best:
    """A T_ref: its seconds, how much of them are launches, and whether the rest is bound by "memory" or "matrix"."""

    seconds: float
    launch: float
    bound: str


def attained_of(device: Device, dtype: str) -> Attained:
    """What a device attains for products of matrices of a type. Raises UolError where its table lacks a rate."""
    wanted = {"memory": "bandwidth", "matrix": f"{dtype}-matrix", "launch": "launch"}
    names = {what: name + ATTAINED for what, name in wanted.items()}
    for name in names.values():
        if name not in device.rates:
            raise UolError(f"{device.name} has no rate {name!r}", hint="`uol doctor --rates` shows its table, rates.toml")
    return Attained({what: device.rates[name] for what, name in names.items()}, names)


def best_of(bytes: float, operations: int, attained: Attained) -> Best:
    """T_ref of one launch that moves so many bytes and does so many operations of products (a multiply-add is two)."""
    memory, matrix = bytes / attained.rates["memory"].si, operations / attained.rates["matrix"].si
    launch = attained.rates["launch"].si
    return Best(max(memory, matrix) + launch, launch, "matrix" if matrix > memory else "memory")
