"""What `uol gap` finds out about a path at one size and type, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from uol.conformance.gap.attained import Attained, Reference
from uol.conformance.gap.groups import Group
from uol.conformance.gap.ratios import REQUIRED, Figures, Pair, figures_of, gap_of

MODELLED = "modelled, not validated"
MOST_FLAGGED = 0.1
"""Of a path's time: the share that may be faster than what devices attain before no figure of it holds."""


def percent(value: float | None) -> str:
    """As it is shown.

    >>> percent(0.1234)
    '12.3%'
    """
    return "none" if value is None else f"{value:.1%}"


@dataclass(frozen=True, slots=True)
class Kernel:
    """A kernel of a group on a device, `calls` times in a step; seconds of one."""

    op: str
    name: str
    kind: str
    schedule: str
    calls: int
    launches: int
    bytes: int
    operations: Mapping[str, float]
    seconds: float
    bound: str


@dataclass(frozen=True, slots=True)
class GroupOnTarget:
    """A group on a device. `refused`: operators without a kernel there, each with the reason; then there is no time."""

    kernels: tuple[Kernel, ...]
    launch_seconds: float
    refused: Mapping[str, str]

    @property
    def seconds(self) -> float | None:
        """Modelled: the sum over the kernels."""
        return None if self.refused else sum(k.calls * k.seconds for k in self.kernels)

    @property
    def launches(self) -> int:
        return sum(k.calls * k.launches for k in self.kernels)

    @property
    def bound(self) -> str:
        """What most of the time is bound by."""
        by: dict[str, float] = {}
        for k in self.kernels:
            by[k.bound] = by.get(k.bound, 0.0) + k.calls * k.seconds
        by["launch"] = max(by.get("launch", 0.0), self.launch_seconds)
        return max(by, key=lambda name: by[name])


@dataclass(frozen=True, slots=True)
class Cell:
    """A group on a device, beside what it would take at best there."""

    reference: Reference
    on: GroupOnTarget

    @property
    def seconds(self) -> float | None:
        """Modelled; None where an operator has no kernel."""
        return self.on.seconds

    @property
    def pair(self) -> Pair:
        return Pair(self.reference.seconds, self.seconds, self.reference.launch, self.on.launch_seconds)


@dataclass(frozen=True, slots=True)
class CaseGap:
    """A path at a size in a type: its groups, and each on each device. The gap is over `compared`; others stand beside."""

    path: str
    case: str
    dtype: str
    says: str
    groups: tuple[Group, ...]
    attained: Mapping[str, Attained]
    compared: tuple[str, ...]
    cells: Mapping[str, Mapping[str, Cell]]
    """By the group's name and the device's."""

    @property
    def devices(self) -> tuple[str, ...]:
        return tuple(self.attained)

    @property
    def figures(self) -> Figures:
        """Over the devices that are compared."""
        return figures_of({name: [row[device].pair for device in self.compared] for name, row in self.cells.items()})

    def eff(self, device: str) -> float | None:
        """sum T_ref / sum T of the groups that a device has."""
        return figures_of({name: [row[device].pair] for name, row in self.cells.items()}).effs[0]

    def gap(self, group: str) -> float | None:
        """Of one group; None where a device that is compared refuses it."""
        effs = [self.cells[group][device].pair.eff for device in self.compared]
        known = [eff for eff in effs if eff is not None]
        return gap_of(known) if len(known) == len(effs) else None

    def refused(self, device: str) -> dict[str, str]:
        """Operators without a kernel on a device, each with the reason."""
        return {op: reason for row in self.cells.values() for op, reason in row[device].on.refused.items()}

    def flagged(self, device: str) -> float:
        """The share of the time that is of groups faster than what the device attains."""
        pairs = [row[device].pair for row in self.cells.values()]
        total = sum(p.time or 0.0 for p in pairs)
        return sum(p.time or 0.0 for p in pairs if (p.eff or 0.0) > 1) / total if total else 0.0

    @property
    def why_not_established(self) -> tuple[str, ...]:
        """Why no verdict on the gap can be given: there is always a reason, as long as every time is modelled."""
        reasons = ["no kernel was timed on a device, and the model's error there is not known"]
        for device in self.compared:
            if refused := self.refused(device):
                reasons.append(f"{device} refuses {', '.join(refused)}")
            if (share := self.flagged(device)) > MOST_FLAGGED:
                reasons.append(f"on {device} {share:.0%} of the time is of groups modelled faster than what it attains")
        gap = self.figures.gap
        if gap is None or gap >= REQUIRED:
            reasons.append(f"the modelled gap is not below {REQUIRED:.0%}")
        return tuple(reasons)

    def record(self) -> dict[str, object]:
        """As plain data, for JSON."""
        return {
            "path": self.path,
            "case": self.case,
            "dtype": self.dtype,
            "kind": MODELLED,
            "says": self.says,
            "verdict": "not established",
            "why": list(self.why_not_established),
            "figures": asdict(self.figures) | {"devices": list(self.compared)},
            "devices": {device: self._device(device) for device in self.devices},
            "groups": [self._group(group) for group in self.groups],
        }

    def _device(self, device: str) -> dict[str, object]:
        rates = {what: asdict(rate) for what, rate in self.attained[device].rates.items()}
        return {"eff": self.eff(device), "refused": self.refused(device), "flagged": self.flagged(device), "rates": rates}

    def _group(self, group: Group) -> dict[str, object]:
        operations = {kind: group.operations(kind) for kind in ("matrix", "vector")}
        cells = {device: _cell(cell) for device, cell in self.cells[group.name].items()}
        work = {"bytes": group.bytes, "operations": operations}
        return {"name": group.name, "phase": group.phase, **work, "gap": self.gap(group.name), "on": cells}


def _cell(cell: Cell) -> dict[str, object]:
    return {
        "reference_s": cell.reference.seconds,
        "reference_bound": cell.reference.bound,
        "modelled_s": cell.seconds,
        "eff": cell.pair.eff,
        "bound": cell.on.bound,
        "launches": cell.on.launches,
        "refused": dict(cell.on.refused),
        "kernels": [asdict(kernel) for kernel in cell.on.kernels],
    }
