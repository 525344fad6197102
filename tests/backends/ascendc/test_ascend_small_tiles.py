"""The forms again with small tiles on one AI core: every kernel that can loop over tiles does, and is double-buffered."""

from __future__ import annotations

import numpy as np
import pytest
from ascend_forms import FORMS, Form, job_of
from ascend_small_tiles import small_tiles
from test_ascend_forms import agree

from uol.backends.twin.record import Job, TwinRun
from uol.backends.twin.run import execute_many

UNFORCED = [form for form in FORMS if form.pick is None]
"""The forms that leave the tile to the backend."""


@pytest.fixture(scope="module")
def runs() -> dict[str, tuple[Job, TwinRun]]:
    with small_tiles():
        jobs = [job_of(form) for form in UNFORCED]
    return {form.name: pair for form, pair in zip(UNFORCED, zip(jobs, execute_many(jobs), strict=True), strict=True)}


@pytest.mark.parametrize("form", UNFORCED, ids=str)
def test_form(runs: dict[str, tuple[Job, TwinRun]], form: Form) -> None:
    job, run = runs[form.name]
    assert not run.findings, f"{run.findings}\n{job.module.device.text}"
    output, expected = next(iter(run.outputs.values())), np.asarray(form.expected(form.inputs))
    assert agree(output, expected, form.close), f"{output} is not {expected}\n{job.module.device.text}"


def test_most_double_buffers_are_used_again(runs: dict[str, tuple[Job, TwinRun]]) -> None:
    reuses = [times for _, run in runs.values() for times in run.reuses.values()]
    assert len(reuses) > len(runs) // 2
    assert sum(times > 0 for times in reuses) > len(reuses) // 2


def test_a_last_tile_of_one_lane_is_spread_alone() -> None:
    """Lanes that lie apart in the result are spread by Brcb: a core that has the last tile alone has written no others."""
    x = np.random.default_rng(5).standard_normal((7, 1025)).astype(np.float32)
    text = """op f(x: f32[C, N]) -> (y: f32[N, C]) {
      m[n] = sum[c](x[c, n])
      y[n, c] = x[c, n] - m[n]
    }"""
    expected = (x - x.astype(np.float64).sum(0)).T
    (run,) = execute_many([job_of(Form("apart", text, {"x": x}, lambda i: expected, {"C": 7, "N": 1025}))])
    assert not run.findings, run.findings
    assert agree(run.outputs["y"], expected, 1e-5)
