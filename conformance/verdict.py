"""What a check found out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Literal

from uol.conformance.arrangement import Arrangement
from uol.conformance.comparison import Comparison
from uol.ops.inputs import Kind
from uol.ops.references import has_reference
from uol.ops.workloads import Workload

Status = Literal["pass", "breach", "findings", "refused", "failed"]
"""pass      within the contract, no findings
breach    a result beyond the contract
findings  the twin's checks found a defect
refused   the target has no kernel for it, and says why
failed    the compiler, or the run, raised an error"""


@dataclass(frozen=True, slots=True)
class Case:
    """One operator on one target: types ("f16", or "T=f32,U=f16"), workload, kind and seed of its inputs, memory layout."""

    op: str
    target: str
    dtype: str
    workload: Workload
    inputs: Kind = "random"
    arrangement: Arrangement = "row-major"
    seed: int = 0

    def __str__(self) -> str:
        layout = "" if self.arrangement == "row-major" else f", {self.arrangement}"
        return f"{self.target} {self.dtype} {self.workload} on {self.inputs} inputs{layout}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome of a case. `golden`, `reference` and `oracle` compare its result with the golden value, with the
    independent reference, and the oracle's result with the golden value; each by the same contract."""

    case: Case
    status: Status
    reason: str = ""
    golden: Comparison | None = None
    reference: Comparison | None = None
    oracle: Comparison | None = None
    findings: tuple[str, ...] = ()
    kernels: int = 0
    counts: Mapping[str, int] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Is there a kernel, and is it right?"""
        return self.status == "pass"

    def record(self) -> dict[str, object]:
        """As plain data, for JSON."""
        compared = {name: getattr(self, name) for name in ("golden", "reference", "oracle")}
        return {
            "op": self.case.op,
            "target": self.case.target,
            "dtype": self.case.dtype,
            "workload": str(self.case.workload),
            "inputs": self.case.inputs,
            "arrangement": self.case.arrangement,
            "seed": self.case.seed,
            "status": self.status,
            "reason": self.reason,
            **{name: None if c is None else asdict(c) for name, c in compared.items()},
            "independent_reference": has_reference(self.case.op),
            "findings": list(self.findings),
            "kernels": self.kernels,
            "counts": dict(self.counts),
        }
