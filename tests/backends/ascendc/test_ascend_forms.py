"""Forms of kernels beyond the operator library, in the checked twin: every fold over both choices of lanes, integers and
conditions, accesses of every kind, contractions in every layout of their operands."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
from ascend_forms import FORMS, job_of
from turns import by_turns

from uol.backends.twin.record import Job, TwinRun
from uol.backends.twin.run import execute_many


def agree(output: np.ndarray, expected: np.ndarray, close: float) -> bool:
    """The same shape and values, those of floats within `close` relative to 1 + |expected|; NaN agrees with NaN alone."""
    if output.shape != expected.shape:
        return False
    found = output.astype(np.float64) if expected.dtype.kind == "f" else output
    same = np.abs(found - expected) <= close * (1 + np.abs(expected)) if close else found == expected
    if expected.dtype.kind == "f":
        same |= np.isnan(found) & np.isnan(expected)
    return bool(same.all())


Runs = Callable[[int], tuple[Job, TwinRun]]


@pytest.fixture(scope="module")
def runs() -> Runs:
    """Of the forms that this run has: one in two, or the others in the soak."""

    @cache
    def half(first: int) -> list[tuple[Job, TwinRun]]:
        jobs = [job_of(form) for form in FORMS[first::2]]
        return list(zip(jobs, execute_many(jobs), strict=True))

    return lambda number: half(number % 2)[number // 2]


@pytest.mark.parametrize("number", by_turns(2, range(len(FORMS))), ids=lambda n: str(FORMS[n]))
def test_form(runs: Runs, number: int) -> None:
    form, (job, run) = FORMS[number], runs(number)
    assert not run.findings, f"{run.findings}\n{job.module.device.text}"
    output, expected = next(iter(run.outputs.values())), np.asarray(form.expected(form.inputs))
    assert agree(output, expected, form.close), f"{output} is not {expected}\n{job.module.device.text}"
