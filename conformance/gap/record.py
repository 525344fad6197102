"""What `uol gap` finds out about a path at one size and type, as data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field

from uol.conformance.gap.attained import Attained
from uol.conformance.gap.ratios import LEAST_SHARE, REQUIRED, Figures, Pair, apart, eff_of, figures_of, is_met
from uol.conformance.gap.rows import Row

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
    """A kernel of a row on a device, `calls` times in a step; seconds of one."""

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
class RowOnTarget:
    """A row on a device. `refused`: operators without a kernel there, each with the reason; then there is no time."""

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
class RowReference:
    """T_ref of a row on a device: the sums over its groups, and what most of it is bound by; all 0 beside the reference."""

    seconds: float
    launch: float
    bytes: int
    operations: int
    bound: str


@dataclass(frozen=True, slots=True)
class Cell:
    """A row on a device, beside what it would take at best there."""

    reference: RowReference
    on: RowOnTarget

    @property
    def seconds(self) -> float | None:
        """Modelled; None where an operator has no kernel."""
        return self.on.seconds

    @property
    def pair(self) -> Pair:
        return Pair(self.reference.seconds, self.seconds, self.reference.launch, self.on.launch_seconds)


@dataclass(frozen=True, slots=True)
class CaseGap:
    """A path at a size in a type: its rows, and each on each device. The gap is over `compared`; others stand beside.

    best_known      the eff of the best published time of the whole path, by device that has one
    vendors_gap     how far these are apart; None where fewer than two of the devices have one
    ceilings        the eff of kernels that do what the reference does and nothing else, by the model
    """

    path: str
    case: str
    dtype: str
    says: str
    rows: tuple[Row, ...]
    attained: Mapping[str, Attained]
    compared: tuple[str, ...]
    cells: Mapping[str, Mapping[str, Cell]]
    """The cells by the row's name and the device's."""
    best_known: Mapping[str, float]
    vendors_gap: float | None
    ceilings: Mapping[str, float] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return f"{self.path}, {self.case}, {self.dtype}"

    @property
    def devices(self) -> tuple[str, ...]:
        return tuple(self.attained)

    @property
    def headline(self) -> tuple[Row, ...]:
        """The rows of forward and backward. The optimiser stands apart: it is the same few streams on every device."""
        return tuple(row for row in self.rows if row.phase != "optimiser")

    @property
    def figures(self) -> Figures:
        """The figures of forward and backward, over the devices that are compared."""
        return figures_of({row.name: self.pairs(row, self.compared) for row in self.headline}, self._known)

    @property
    def _known(self) -> tuple[float, ...]:
        return tuple(self.best_known.get(device, 1.0) for device in self.compared)

    def pairs(self, row: Row, devices: Iterable[str]) -> list[Pair]:
        """A row on devices."""
        return [self.cells[row.name][device].pair for device in devices]

    def eff(self, device: str) -> float:
        """The eff of forward and backward together."""
        return eff_of(self.cells[row.name][device].pair for row in self.headline)

    def optimiser(self, device: str) -> float | None:
        """The eff of the optimiser alone; None where the step has none."""
        pairs = [self.cells[row.name][device].pair for row in self.rows if row.phase == "optimiser"]
        return eff_of(pairs) if pairs else None

    def gap(self, row: Row) -> float | None:
        """How far the devices that are compared are apart on one row; None where it has no T_ref."""
        effs = [eff for pair in self.pairs(row, self.compared) if (eff := pair.eff) is not None]
        return apart(effs) if effs else None

    def by_lost(self, device: str) -> list[Row]:
        """The rows by T - T_ref on a device, those that it refuses first."""
        lost = {row.name: self.cells[row.name][device].pair.lost for row in self.rows}
        return sorted(self.rows, key=lambda row: (lost[row.name] is not None, -(lost[row.name] or 0.0)))

    def refused(self, device: str) -> dict[str, str]:
        """Operators without a kernel on a device, each with the reason."""
        return {op: reason for row in self.cells.values() for op, reason in row[device].on.refused.items()}

    def flagged(self, device: str) -> float:
        """The share of the time of forward and backward that is of rows faster than what the device attains."""
        pairs = [self.cells[row.name][device].pair for row in self.headline]
        total = sum(p.time or 0.0 for p in pairs)
        return sum(p.time or 0.0 for p in pairs if p.is_flagged) / total if total else 0.0

    @property
    def is_met(self) -> bool:
        """Would the gap be small enough, if the times were?"""
        return is_met(self.figures.effs, self._known, self.vendors_gap)

    @property
    def why_not_established(self) -> tuple[str, ...]:
        """Why no verdict on the gap can be given: there is always a reason, as long as every time is modelled."""
        reasons = ["no kernel was timed on a device, and the model's error there is not known"]
        for device in self.compared:
            if refused := self.refused(device):
                reasons.append(f"{device} refuses {', '.join(refused)}")
            if (share := self.flagged(device)) > MOST_FLAGGED:
                reasons.append(f"on {device} {share:.0%} of the time is of rows modelled faster than what it attains")
        if not self.is_met:
            most = max(REQUIRED, self.vendors_gap or 0.0)
            reasons.append(f"the modelled gap is not below {most:.0%} with every eff at {LEAST_SHARE} of the best known")
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
            "figures": asdict(self.figures) | {"devices": list(self.compared), "vendors_gap": self.vendors_gap},
            "devices": {device: self._device(device) for device in self.devices},
            "rows": [self._row(row) for row in self.rows],
        }

    def _device(self, device: str) -> dict[str, object]:
        rates = {what: asdict(rate) for what, rate in self.attained[device].rates.items()}
        effs = {"eff": self.eff(device), "optimiser": self.optimiser(device), "best_known": self.best_known.get(device)}
        effs |= {"ceiling": self.ceilings.get(device)}
        return effs | {"refused": self.refused(device), "flagged": self.flagged(device), "rates": rates}

    def _row(self, row: Row) -> dict[str, object]:
        cells = {device: _cell(cell) for device, cell in self.cells[row.name].items()}
        return {"name": row.name, "phase": row.phase, "parts": list(row.parts), "gap": self.gap(row), "on": cells}


def _cell(cell: Cell) -> dict[str, object]:
    return {
        "bytes": cell.reference.bytes,
        "operations": cell.reference.operations,
        "reference_s": cell.reference.seconds,
        "reference_launch_s": cell.reference.launch,
        "reference_bound": cell.reference.bound,
        "modelled_s": cell.seconds,
        "launch_s": cell.on.launch_seconds,
        "lost_s": cell.pair.lost,
        "eff": cell.pair.eff,
        "bound": cell.on.bound,
        "launches": cell.on.launches,
        "refused": dict(cell.on.refused),
        "kernels": [asdict(kernel) for kernel in cell.on.kernels],
    }
