"""Forms of kernels beyond the operator library, in the checked twin: every fold over both choices of lanes, integers and
conditions, accesses of every kind, contractions in every layout of their operands."""

from __future__ import annotations

import numpy as np
import pytest
from ascend_forms import FORMS, Form, job_of

from uol.backends.twin.record import Job, TwinRun
from uol.backends.twin.run import execute_many


@pytest.fixture(scope="module")
def runs() -> dict[str, tuple[Job, TwinRun]]:
    jobs = [job_of(form) for form in FORMS]
    return {form.name: pair for form, pair in zip(FORMS, zip(jobs, execute_many(jobs), strict=True), strict=True)}


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_form(runs: dict[str, tuple[Job, TwinRun]], form: Form) -> None:
    job, run = runs[form.name]
    assert not run.findings, f"{run.findings}\n{job.module.device.text}"
    output, expected = next(iter(run.outputs.values())), np.asarray(form.expected(form.inputs))
    assert output.shape == expected.shape
    found = output.astype(np.float64) if expected.dtype.kind == "f" else output
    same = np.abs(found - expected) <= form.close * (1 + np.abs(expected)) if form.close else found == expected
    if expected.dtype.kind == "f":
        same |= np.isnan(found) & np.isnan(expected)
    assert same.all(), f"{found} is not {expected}\n{job.module.device.text}"
