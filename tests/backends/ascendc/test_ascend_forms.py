"""Forms of kernels beyond the operator library, in the checked twin: every fold over both choices of lanes, integers and
conditions, accesses of every kind, contractions in every layout of their operands."""

from __future__ import annotations

import numpy as np
import pytest
from ascend_forms import FORMS, Form, job_of

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


@pytest.fixture(scope="module")
def runs() -> dict[str, tuple[Job, TwinRun]]:
    jobs = [job_of(form) for form in FORMS]
    return {form.name: pair for form, pair in zip(FORMS, zip(jobs, execute_many(jobs), strict=True), strict=True)}


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_form(runs: dict[str, tuple[Job, TwinRun]], form: Form) -> None:
    job, run = runs[form.name]
    assert not run.findings, f"{run.findings}\n{job.module.device.text}"
    output, expected = next(iter(run.outputs.values())), np.asarray(form.expected(form.inputs))
    assert agree(output, expected, form.close), f"{output} is not {expected}\n{job.module.device.text}"
