"""What a device attains, from its table of rates, and T_ref of a group there.

    T_ref(group) = sum over launches of max(bytes / bandwidth, operations / rate of their kind) + one launch

A rate is the attained one where somebody has published it, else the data sheet's; `uol doctor --rates` has the sources. Vector
operations are reckoned in f32.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from uol.codegen.backend import Device, Rate
from uol.conformance.gap.groups import Group, Launch
from uol.ir.errors import UolError

ATTAINED = "-attained"


@dataclass(frozen=True, slots=True)
class Attained:
    """`rates`: those that T_ref is computed from, by what they are of ("memory", "matrix", "vector", "launch"); `names`: theirs
    in the device's table."""

    rates: Mapping[str, Rate]
    names: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Reference:
    """T_ref in seconds, how much of it is launches, and what most of the rest is bound by."""

    seconds: float
    launch: float
    bound: str


def attained_of(device: Device, dtype: str) -> Attained:
    """What a device attains for products of matrices of a type. Raises UolError where its table lacks a rate."""
    wanted = {"memory": "bandwidth", "matrix": f"{dtype}-matrix", "vector": "f32-vector", "launch": "launch"}
    names = {what: name + ATTAINED if name + ATTAINED in device.rates else name for what, name in wanted.items()}
    for name in names.values():
        if name not in device.rates:
            raise UolError(f"{device.name} has no rate {name!r}", hint="`uol doctor --rates` shows its table, rates.toml")
    return Attained({what: device.rates[name] for what, name in names.items()}, names)


def reference_of(group: Group, attained: Attained) -> Reference:
    """T_ref of a group."""
    parts = [(each, *_bound(each, attained)) for each in group.launches]
    launch = sum(each.count for each in group.launches) * attained.rates["launch"].si
    by: dict[str, float] = {}
    for each, what, seconds in parts:
        by[what] = by.get(what, 0.0) + each.count * seconds
    return Reference(sum(by.values()) + launch, launch, max(by, key=lambda what: by[what]))


def _bound(launch: Launch, attained: Attained) -> tuple[str, float]:
    times = {"memory": launch.bytes / attained.rates["memory"].si}
    times |= {kind: count / attained.rates[kind].si for kind, count in launch.operations.items()}
    what = max(times, key=lambda name: times[name])
    return what, times[what]
