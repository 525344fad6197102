"""The support matrix: which operator runs on which target in which type. Generated from runs, never written."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from uol.conformance.cases.verdict import Verdict

CellState = Literal["supported", "partly", "refused", "wrong"]
"""supported  every case passed
partly     some cases passed, the others were refused with a reason
refused    every case was refused
wrong      a case broke its contract, had a finding, or failed"""


@dataclass(frozen=True, slots=True)
class Cell:
    """One operator on one target in one type. `share` and `said` are of the passed case that is nearest to its bound."""

    op: str
    target: str
    dtype: str
    state: CellState
    passed: int
    cases: int
    share: float
    said: str
    reasons: tuple[str, ...]

    def __str__(self) -> str:
        why = f"  {self.reasons[0][:240]}" if self.reasons else ""
        return f"{self.op:22} {self.target:14} {self.dtype:12} {self.state:9} {self.passed}/{self.cases}{why}"


def support_matrix(verdicts: Iterable[Verdict]) -> tuple[Cell, ...]:
    """The matrix that verdicts amount to; a case that was not run is in no cell."""
    groups: dict[tuple[str, str, str], list[Verdict]] = {}
    for verdict in verdicts:
        case = verdict.case
        groups.setdefault((case.op, case.target, case.dtype), []).append(verdict)
    return tuple(_cell(key, group) for key, group in groups.items())


def _cell(key: tuple[str, str, str], group: Sequence[Verdict]) -> Cell:
    passed = sum(v.ok for v in group)
    refused = sum(v.state == "refused" for v in group)
    state: CellState = "supported" if passed == len(group) else "refused" if refused == len(group) else "partly"
    if passed + refused < len(group):
        state = "wrong"
    compared = [v.golden for v in group if v.ok and v.golden is not None]
    worst = max(compared, key=lambda c: (c.share, c.max_ulp), default=None)
    share, said = (worst.share, worst.said) if worst is not None else (0.0, "")
    reasons = tuple(dict.fromkeys(f"{v.case.workload}: {v.status}: {v.reason}" for v in group if not v.ok))
    return Cell(*key, state, passed, len(group), share, said, reasons)
