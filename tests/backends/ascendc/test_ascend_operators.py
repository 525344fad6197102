"""The six first operators at awkward shapes and layouts, in the checked twin: right numbers, no findings."""

from __future__ import annotations

import pytest
from simt_cases import CASES, Case, job_of, violation

from uol.backends.twin.record import Job, TwinRun
from uol.backends.twin.run import execute_many

HERE = tuple(c for c in CASES if c.dtype != "f64")


@pytest.fixture(scope="module")
def runs() -> dict[str, tuple[Job, TwinRun]]:
    jobs = {str(case): job_of(case, "ascendc") for case in HERE}
    return dict(zip(jobs, zip(jobs.values(), execute_many(list(jobs.values())), strict=True), strict=True))


@pytest.mark.parametrize("case", HERE, ids=str)
def test_numbers_are_right_and_nothing_is_found(runs: dict[str, tuple[Job, TwinRun]], case: Case) -> None:
    job, run = runs[str(case)]
    assert not run.findings, f"{run.findings}\n{run.log}\n{job.module.device.text}"
    assert not violation(case, job.buffers, run.outputs["y"]), job.module.device.text
