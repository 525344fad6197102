"""`uol conform --baseline`, and the command that a failure is reported with."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest
from command_line import uol

pytestmark = pytest.mark.usefixtures("own_cache")
RELU = ("conform", "--op", "relu", "--target", "toy", "--jobs", "1")


def test_the_command_of_a_failure_runs_that_case_alone(toy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import toy_backend

    monkeypatch.setitem(toy_backend.FUNCTIONS, "max", "np.minimum")
    found = uol(*RELU, "--dtype", "f32", "--report", tmp_path)
    assert found.status == 1
    cases = json.loads((tmp_path / "report.json").read_text())["cases"]
    failed = [case for case in cases if case["state"] == "failed"]
    assert len(failed) > 10
    for case in (failed[-1], next(c for c in failed if c["arrangement"] == "gaps")):
        program, *words = shlex.split(case["repeat"])
        assert program == "uol"
        again = json.loads(uol(*words, "--json").out)["cases"]
        assert [{**each, "seconds": 0} for each in again] == [{**case, "seconds": 0}]
    assert f"again: {failed[0]['repeat']}" in found.out


def test_exit_status_beside_a_baseline(toy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same failures are status 0, new ones 1, fewer cases 1, fixed ones 0."""
    import toy_backend

    first = ("--first", "--report")
    right, wrong = tmp_path / "right" / "report.json", tmp_path / "wrong" / "report.json"
    assert uol(*RELU, *first, right.parent).status == 0
    monkeypatch.setenv("UOL_CACHE_DIR", str(tmp_path / "another"))
    with monkeypatch.context() as patch:
        patch.setitem(toy_backend.FUNCTIONS, "max", "np.minimum")
        assert uol(*RELU, *first, wrong.parent).status == 1
        assert uol(*RELU, *first, tmp_path / "again", "--baseline", wrong).status == 0
        worse = uol(*RELU, "--first", "--baseline", right)
        assert worse.status == 1
        assert "new failure: toy:host: relu f32 relu[S=64x256] on random inputs; seed 0: golden: beyond" in worse.out
    monkeypatch.setenv("UOL_CACHE_DIR", str(tmp_path / "third"))
    fixed = uol(*RELU, "--first", "--baseline", wrong)
    assert fixed.status == 0
    assert f"beside {wrong}: 0 new failures, 0 lost, 0 withdrawn, 2 fixed, 0 failed as before" in fixed.out
    lost = uol("conform", "--op", "neg", "--target", "toy", "--first", "--baseline", right)
    assert lost.status == 1
    assert "lost: toy:host: relu f32 relu[S=64x256] on random inputs; seed 0: it passed" in lost.out


def test_a_baseline_that_is_no_report_is_found_before_anything_runs(toy: str, tmp_path: Path) -> None:
    (tmp_path / "junit.xml").write_text("<testsuites/>")
    found = uol(*RELU, "--baseline", tmp_path / "junit.xml", "--report", tmp_path / "report")
    assert found.status == 2
    assert "junit.xml' is no report: it is not JSON" in found.err
    assert "report.json that `uol conform --report DIR` wrote" in found.err
    assert not (tmp_path / "report").exists()
