"""What came of a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from uol.conformance.cases.verdict import Case, Verdict

State = Literal["right", "wrong", "raised", "refused", "open"]
"""right     the golden value, the oracle and autograd agree with it, as the contract bounds their differences
wrong     a value beyond the contract, or a finding of the twin
raised    an error that is no refusal
refused   the target has no kernel, or the text no gradient, and the message says why
open      rounding decides whether a result is finite: the contract says nothing"""

OPEN = "the contract says nothing here"


@dataclass(frozen=True, slots=True)
class Run:
    """A text on a target. `order` is 0 for the operator, 1 for its gradient; `setting` says target and sizes."""

    number: int
    kind: str
    setting: str
    order: int
    state: State
    reason: str = ""


def state_of(verdict: Verdict) -> State:
    """What a verdict amounts to."""
    match verdict.status:
        case "pass":
            return "right"
        case "refused":
            return "refused"
        case "failed":
            return "raised"
        case "findings":
            return "wrong"
    return "open" if OPEN in verdict.reason else "wrong"


def run_of(number: int, kind: str, order: int, case: Case, state: State, reason: str) -> Run:
    """Of a case."""
    return Run(number, kind, f"{case.target} {case.sizes}", order, state, reason)
