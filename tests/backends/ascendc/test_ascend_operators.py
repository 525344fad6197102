"""The six first operators at awkward shapes and layouts, in the checked twin: right numbers, no findings."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import pytest
from simt_cases import CASES, job_of, violation
from turns import by_turns

from uol.backends.twin.record import Job, TwinRun
from uol.backends.twin.run import execute_many

HERE = tuple(c for c in CASES if c.dtype != "f64")


Runs = Callable[[int], tuple[Job, TwinRun]]


@pytest.fixture(scope="module")
def runs() -> Runs:
    """Of the cases that this run has: one in two, or the others in the soak."""

    @cache
    def half(first: int) -> list[tuple[Job, TwinRun]]:
        jobs = [job_of(case, "ascendc") for case in HERE[first::2]]
        return list(zip(jobs, execute_many(jobs), strict=True))

    return lambda number: half(number % 2)[number // 2]


@pytest.mark.parametrize("number", by_turns(2, range(len(HERE))), ids=lambda n: str(HERE[n]))
def test_numbers_are_right_and_nothing_is_found(runs: Runs, number: int) -> None:
    case, (job, run) = HERE[number], runs(number)
    assert not run.findings, f"{run.findings}\n{run.log}\n{job.module.device.text}"
    assert not violation(case, job.buffers, run.outputs["y"]), job.module.device.text
