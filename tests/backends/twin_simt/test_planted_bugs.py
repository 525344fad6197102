"""Every defect that the twin promises to find is found, with its kind and line, and nothing else is."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hand_written import MACHINES, dense, module
from planted import PLANTED, Planted

from uol.backends.twin import Job, TwinRun, execute_many

WITHOUT_LINE = {"unwritten-result"}


def expected(text: str) -> set[tuple[str, int]]:
    """What the text's marks promise."""
    marks = ((number, re.search(r"// ! (.*)$", line)) for number, line in enumerate(text.splitlines(), 1))
    return {(kind, number) for number, mark in marks if mark for kind in mark[1].split(", ")}


def job_of(bug: Planted, backend: str) -> Job:
    args = (dense("x", "f32", (512,), "in"), dense("y", "f32", (512,), "out"), dense("w", "f32", (512,), "workspace"))
    launches = bug.launches or {"bug": bug.launch}
    x = np.arange(512, dtype=np.float32)
    return Job(module(backend, bug.source, args, launches), {"x": x}, {}, timeout_s=1.0, capability=MACHINES[backend])


@pytest.fixture(scope="module", params=["cuda", pytest.param("hip", marks=pytest.mark.soak)])
def runs(request: pytest.FixtureRequest) -> dict[str, TwinRun]:
    return dict(zip((b.name for b in PLANTED), execute_many([job_of(b, request.param) for b in PLANTED]), strict=True))


@pytest.mark.parametrize("bug", PLANTED, ids=lambda b: b.name)
def test_a_planted_bug_is_found_at_its_line(runs: dict[str, TwinRun], bug: Planted) -> None:
    found = runs[bug.name].findings
    lines = {(f.kind, f.line) for f in found if f.kind not in WITHOUT_LINE}
    assert lines == expected(bug.source), [str(f) for f in found]
