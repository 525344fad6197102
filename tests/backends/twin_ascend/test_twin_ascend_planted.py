"""Every defect that the 910B's twin promises to find is found, with its kind and line, and nothing else is."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from ascend_modules import dense, job, module
from ascend_planted import PLANTED, Planted, marks

from uol.backends.twin import Job, TwinRun, execute_many

UNWRITTEN = "unwritten-result"
WITHOUT_MARK = {"a crash": {("crash", 0)}, "an endless loop": {("timeout", 0)}, "a result left out": {(UNWRITTEN, 0)}}
ROOT = Path(__file__).parents[3]


def expected(bug: Planted) -> set[tuple[str, int]]:
    """What the text's marks promise."""
    return marks(bug.text) | WITHOUT_MARK.get(bug.name, set())


def job_of(bug: Planted) -> Job:
    args = [
        dense("x", "f32", [512], "in"),
        dense("h", "f16", [512], "in"),
        dense("y", "f32", [512], "out"),
        dense("w", "f32", [512], "workspace"),
    ]
    x = np.arange(512, dtype="f4") / 64
    return job(module(bug.text, args, {"bug": (bug.core, bug.blocks)}), {"x": x, "h": x.astype("f2")}, timeout_s=1.0)


@pytest.fixture(scope="module")
def runs() -> dict[str, TwinRun]:
    return dict(zip((bug.name for bug in PLANTED), execute_many([job_of(bug) for bug in PLANTED]), strict=True))


@pytest.mark.parametrize("bug", PLANTED, ids=lambda bug: bug.name)
def test_a_planted_bug_is_found_at_its_line(runs: dict[str, TwinRun], bug: Planted) -> None:
    findings = runs[bug.name].findings
    found = {
        (f.kind, 0 if f.kind in ("crash", "timeout") else f.line)
        for f in findings
        if f.kind != UNWRITTEN or bug.name in WITHOUT_MARK
    }
    assert found == expected(bug), [str(f) for f in findings]
    assert all(f.kernel == "bug" and f.message for f in findings)


def test_every_kind_of_the_readme_has_a_planted_bug() -> None:
    text = (ROOT / "backends/twin/ascend/README.md").read_text()
    promised = set(re.findall(r"`([a-z0-9-]+)`", text.split("## Kinds of finding")[1].split("## ")[0]))
    planted = {kind for bug in PLANTED for kind, _ in expected(bug)}
    assert promised == planted | {"compile-error"}  # has a test of its own


def test_names_of_planted_bugs_are_unique() -> None:
    assert len({bug.name for bug in PLANTED}) == len(PLANTED)
