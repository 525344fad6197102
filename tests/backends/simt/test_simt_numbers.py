"""Every kernel of the six first operators runs in the checked twin: right numbers, no findings."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import pytest
from simt_cases import CASES, job_of, violation
from turns import by_turns

from uol.backends.twin.record import Job, TwinRun
from uol.backends.twin.run import execute_many

TARGETS = ("cuda", "hip")
Runs = Callable[[int, str], tuple[Job, TwinRun]]


@pytest.fixture(scope="module")
def runs() -> Runs:
    """A case's job and run, by its number and a target; one in two of them in one twin."""

    @cache
    def half(first: int, target: str) -> list[tuple[Job, TwinRun]]:
        jobs = [job_of(case, target) for case in CASES[first::2]]
        return list(zip(jobs, execute_many(jobs), strict=True))

    return lambda number, target: half(number % 2, target)[number // 2]


@pytest.mark.parametrize(
    ("target", "number"),
    by_turns(2, TARGETS, range(len(CASES))),
    ids=[f"{target}-{case}" for target in TARGETS for case in CASES],
)
def test_numbers_are_right_and_nothing_is_found(runs: Runs, target: str, number: int) -> None:
    case, (job, run) = CASES[number], runs(number, target)
    assert not run.findings, f"{run.findings}\n{run.log}\n{job.module.device.text}"
    assert not violation(case, job.buffers, run.outputs["y"]), job.module.device.text
