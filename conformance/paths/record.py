"""What a path is asked and what it reports."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Literal

from uol.conformance.accuracy.comparison import Comparison
from uol.conformance.cases.agreement import Agreement, Pair, by_operator, by_type
from uol.conformance.cases.machine import Place, places
from uol.conformance.packs.record import CardRecord
from uol.conformance.runs.baseline import Compared
from uol.conformance.runs.provenance import UNKNOWN, Provenance

Progress = Callable[[str, int, int], None]
"""Called with what is being done, and how many steps of it are done and of all."""

Status = Literal["pass", "breach", "findings", "refused", "failed"]


@dataclass(frozen=True, slots=True)
class PathOptions:
    """targets   backends to check, in order; empty for all
    weights   a state dict (torch.save), or None for seeded weights
    image     a picture, or None for the photograph that scikit-learn ships
    dtypes    element types of a step; the layers of a photograph have the first one on the twins, and f32 on the CPU
    seed      of the weights
    jobs      twins that run at once
    quick     at narrow sizes
    kernel    the number of the call whose kernels alone are checked, or None for every check
    """

    targets: tuple[str, ...] = ()
    weights: Path | None = None
    image: Path | None = None
    dtypes: tuple[str, ...] = ("f32",)
    seed: int = 0
    jobs: int = 2
    quick: bool = False
    kernel: int | None = None


@dataclass(frozen=True, slots=True)
class LayerResult:
    """One distinct layer on one target.

    layers          the layers of the network that have this configuration
    golden          against the golden value, within the contract
    pytorch         against PyTorch in float64, within the same interval
    share           see Comparison: the error as a share of what the contract admits
    time_us         of all its layers in one pass over the network, and of PyTorch eager's; 0 where nothing was timed
    twin_s          of the run in the twin, its build not counted; 0 where there is none
    """

    target: str
    op: str
    layers: tuple[str, ...]
    shape: str
    kernels: int
    status: Status
    reason: str = ""
    golden: Comparison | None = None
    pytorch: Comparison | None = None
    findings: tuple[str, ...] = ()
    time_us: float = 0.0
    pytorch_us: float = 0.0
    counts: Mapping[str, int] = field(default_factory=dict)
    twin_s: float = 0.0

    @property
    def ok(self) -> bool:
        return self.status == "pass"


@dataclass(frozen=True, slots=True)
class Check:
    """A statement about the whole path, with the figures that decided it."""

    name: str
    ok: bool
    detail: str


@dataclass(frozen=True, slots=True)
class PathReport:
    """What a path found out. `facts` are figures that nothing is decided on: versions, sources, times. `measured`: on cards.
    `seconds` are wall time; `compared` is what has changed since a baseline."""

    path: str
    checks: tuple[Check, ...]
    layers: tuple[LayerResult, ...]
    facts: Mapping[str, str]
    seconds: float
    agreements: tuple[Agreement, ...] = ()
    measured: tuple[CardRecord, ...] = ()
    provenance: Provenance = UNKNOWN
    compared: Compared | None = None

    @property
    def ok(self) -> bool:
        """Did every check pass, and every layer on every target and card that was not refused with a reason? Beside a baseline:
        is nothing worse than there?"""
        if self.compared is not None:
            return self.compared.ok
        refused = all(layer.ok or (layer.status == "refused" and layer.reason) for layer in self.layers)
        return all(c.ok for c in self.checks) and refused and not any(record.failures for record in self.measured)

    @property
    def verdict(self) -> str:
        """What a page says first."""
        if self.compared is not None:
            return "Nothing is worse than in the baseline." if self.ok else "Worse than the baseline."
        return "Every check passed." if self.ok else "Checks failed."

    @property
    def targets(self) -> tuple[str, ...]:
        """The targets in the order in which they were checked."""
        return tuple(dict.fromkeys(layer.target for layer in self.layers))

    @property
    def places(self) -> tuple[Place, ...]:
        """What ran where."""
        return places(self.targets)

    @property
    def pairs(self) -> tuple[Pair, ...]:
        """How the targets agree."""
        return by_type(self.agreements)

    @property
    def total_us(self) -> float:
        """The whole network in the pass that the layers' times are of."""
        return sum(layer.time_us for layer in self.layers)

    @property
    def pytorch_total_us(self) -> float:
        """The same of PyTorch eager."""
        return sum(layer.pytorch_us for layer in self.layers)

    def beside(self, other: PathReport) -> PathReport:
        """This report and another one of the same path, as one."""
        return PathReport(
            self.path,
            self.checks + other.checks,
            self.layers + other.layers,
            {**self.facts, **other.facts},
            self.seconds + other.seconds,
            self.agreements + other.agreements,
            self.measured + other.measured,
        )

    def of(self, target: str) -> tuple[LayerResult, ...]:
        """The layers of one target."""
        return tuple(layer for layer in self.layers if layer.target == target)

    def record(self) -> dict[str, object]:
        """As plain data, for JSON."""
        return {
            "kind": "path",
            "path": self.path,
            "ok": self.ok,
            "seconds": round(self.seconds, 1),
            **self.provenance.record(),
            "baseline": None if self.compared is None else self.compared.record(),
            "places": [place.record() for place in self.places],
            "facts": dict(self.facts),
            "checks": [asdict(c) for c in self.checks],
            "total_us": self.total_us,
            "pytorch_total_us": self.pytorch_total_us,
            "layers": [{**asdict(layer), "ok": layer.ok} for layer in self.layers],
            "agreement": [pair.record() for pair in by_operator(self.agreements)],
            "measured": [record.as_json() for record in self.measured],
        }


def together(reports: Sequence[PathReport], seconds: float) -> PathReport:
    """The reports of several paths as one, whose checks, rows and facts say which path they are of; a single one as it is.
    `seconds`: the wall time of all, of which paths that run side by side each took more than a part."""
    if len(reports) == 1:
        return reports[0]
    return PathReport(
        ", ".join(report.path for report in reports),
        tuple(replace(check, name=f"{r.path}: {check.name}") for r in reports for check in r.checks),
        tuple(replace(row, layers=tuple(f"{r.path} {n}" for n in row.layers)) for r in reports for row in r.layers),
        {**_facts_of(reports), "seconds of each path": ", ".join(f"{r.path} {r.seconds:.0f}" for r in reports)},
        seconds,
        tuple(agreement for report in reports for agreement in report.agreements),
        tuple(record for report in reports for record in report.measured),
        reports[0].provenance,
    )


def _facts_of(reports: Sequence[PathReport]) -> dict[str, str]:
    """Facts that are the same of all paths once, the others of each."""
    found = {}
    for report in reports:
        for name, value in report.facts.items():
            alike = all(other.facts.get(name) == value for other in reports)
            found[name if alike else f"{report.path}: {name}"] = value
    return found
