"""What a check found out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Literal

from uol.conformance.accuracy.comparison import Comparison
from uol.conformance.cases.memory_order import Arrangement
from uol.conformance.cases.open_sizes import Sizes
from uol.ops.inputs import Kind
from uol.ops.references import has_reference
from uol.ops.workloads import Workload

Status = Literal["pass", "breach", "findings", "refused", "failed"]
"""pass      within the contract, no findings
breach    a result beyond the contract
findings  the twin's checks found a defect
refused   the target has no kernel for it, and says why: one of the reasons of refusals.toml, of the library's operators
failed    the compiler, or the run, raised an error; a refusal that refusals.toml does not know"""


State = Literal["passed", "failed", "refused"]
"""What a status amounts to: a refusal with its reason is no failure; a breach, a finding and an error are."""


@dataclass(frozen=True, slots=True)
class Case:
    """One operator on one target: types ("f16", or "T=f32,U=f16"), workload, kind and seed of its inputs, memory layout;
    whether its kernels are made for its sizes, whether they add in one order from run to run, and whether those of f32 may have
    factors in TF32."""

    op: str
    target: str
    dtype: str
    workload: Workload
    inputs: Kind = "random"
    arrangement: Arrangement = "row-major"
    seed: int = 0
    sizes: Sizes = "fixed"
    deterministic: bool = False
    tf32: bool = False

    @property
    def subject(self) -> str:
        """`"softmax f16"`."""
        return f"{self.op} {self.dtype}"

    @property
    def setting(self) -> str:
        """All but target and types: `"softmax[S=3, C=33] on random inputs, gaps"`."""
        layout = "" if self.arrangement == "row-major" else f", {self.arrangement}"
        sizes = "" if self.sizes == "fixed" else ", by kernels of any size"
        how = ", in one order" * self.deterministic + ", in TF32" * self.tf32
        return f"{self.workload} on {self.inputs} inputs{layout}{sizes}{how}"

    @property
    def name(self) -> str:
        """All but the target: what decides which shard it is in. `conformance/runs/baseline.py` reads it from reports."""
        return f"{self.subject} {self.setting}; seed {self.seed}"

    def __str__(self) -> str:
        return f"{self.target} {self.dtype} {self.setting}"


def group_name(group: Sequence[Case]) -> str:
    """What cases that differ in their target alone are called in journals: what they have in common, and the targets."""
    return f"{group[0].name}; on {', '.join(case.target for case in group)}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome of a case. `golden`, `reference` and `oracle` compare its result with the golden value, with the
    independent reference, and the oracle's result with the golden value; each by the same contract. `seconds`: of its run
    in the twin. `took_s`: seconds of the process that checked it: its making ready and judging, and an equal share of what
    all cases that were compiled together took besides, so that those of all cases add up to the time of the processes."""

    case: Case
    status: Status
    reason: str = ""
    golden: Comparison | None = None
    reference: Comparison | None = None
    oracle: Comparison | None = None
    findings: tuple[str, ...] = ()
    kernels: int = 0
    counts: Mapping[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    took_s: float = 0.0

    @property
    def ok(self) -> bool:
        """Is there a kernel, and is it right?"""
        return self.status == "pass"

    @property
    def state(self) -> State:
        """Passed, refused or failed."""
        return "passed" if self.ok else "refused" if self.status == "refused" and self.reason else "failed"

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
            "sizes": self.case.sizes,
            "deterministic": self.case.deterministic,
            "tf32": self.case.tf32,
            "state": self.state,
            "status": self.status,
            "reason": self.reason,
            **{name: None if c is None else asdict(c) for name, c in compared.items()},
            "independent_reference": has_reference(self.case.op),
            "findings": list(self.findings),
            "kernels": self.kernels,
            "counts": dict(self.counts),
            "seconds": round(self.took_s, 4),
        }
