"""Many texts at once: what is compiled for the twins is compiled together."""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from dataclasses import dataclass

from uol.conformance.cases.truth import Truth, subject
from uol.conformance.cases.twin_check import Outcome, Prepared, judge, outcomes, prepare
from uol.conformance.cases.verdict import Case
from uol.conformance.random_kernels.independent import independent_results
from uol.conformance.random_kernels.judging import Run, State, run_of, state_of
from uol.conformance.random_kernels.trials import NOT_FINITE, Where, cases_of
from uol.conformance.random_texts.kernel_texts import KernelText
from uol.ir.errors import RefusalError, UolError
from uol.ops.references.gradients import forward_of


@dataclass(frozen=True, slots=True)
class _Asked:
    text: KernelText
    case: Case

    def came(self, state: State, reason: str = "") -> Run:
        order = 0 if forward_of(self.case.op) is None else 1
        return run_of(self.text.number, self.text.kind, order, self.case, state, reason)


def run_texts(texts: Sequence[KernelText], where: Where) -> list[Run]:
    """Every text on its settings, forward and gradient. Their operators are known already."""
    runs: list[Run] = []
    asked: list[_Asked] = []
    for text in texts:
        try:
            asked += [_Asked(text, case) for case in cases_of(text, where.of(text.number))]
        except UolError as error:
            runs.append(Run(text.number, text.kind, "gradient", 1, "refused", f"{type(error).__name__}: {error.message}"))
        except Exception:
            runs.append(Run(text.number, text.kind, "gradient", 1, "raised", traceback.format_exc()))
    ready: list[tuple[_Asked, Prepared]] = []
    for each in asked:
        try:
            ready.append((each, prepare(each.case)))
        except RefusalError as error:
            runs.append(each.came("refused", error.message))
        except Exception:
            runs.append(each.came("raised", traceback.format_exc()))
    return [*runs, *_judged(ready)]


def _judged(ready: Sequence[tuple[_Asked, Prepared]]) -> list[Run]:
    """What is ready, run together; where that raises, one half after the other, down to the one that it raises at."""
    try:
        found = list(outcomes([prepared for _, prepared in ready]))
    except Exception:
        if len(ready) == 1:
            return [ready[0][0].came("raised", traceback.format_exc())]
        half = len(ready) // 2
        return [*_judged(ready[:half]), *_judged(ready[half:])]
    truths: dict[str, Truth] = {}
    return [_verdict(asked, prepared, outcome, truths) for (asked, prepared), outcome in zip(ready, found, strict=True)]


def _verdict(asked: _Asked, prepared: Prepared, outcome: Outcome | UolError, truths: dict[str, Truth]) -> Run:
    """What is true of a case is made once for all its targets."""
    key = subject(asked.case)
    try:
        if isinstance(outcome, UolError):
            raise outcome
        if key not in truths:
            known = independent_results(asked.case, prepared.values) if _has_one(asked.case) else None
            truths[key] = Truth(known)
        verdict = judge(prepared, outcome, truths[key])
    except Exception:
        return asked.came("raised", traceback.format_exc())
    return asked.came(state_of(verdict), verdict.reason)


def _has_one(case: Case) -> bool:
    """Two right formulas of a gradient may differ where a value is infinite or NaN: autograd is then no judge of it."""
    return forward_of(case.op) is None or case.inputs not in NOT_FINITE
