"""Several seeds of a training: both sides are held together by the differences of their figures."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from statistics import fmean

import numpy as np
import pytest
from test_training_runs import TASK

from uol.conformance.paths.training import seeds
from uol.conformance.paths.training.seeds import POINT, STUDENT, Paired


def test_the_interval_is_students() -> None:
    stats = pytest.importorskip("scipy.stats", reason="the interval beside ours is scipy's")
    assert pytest.approx([stats.t.ppf(0.95, n + 1) for n in range(len(STUDENT))], abs=5e-4) == list(STUDENT)
    found = Paired((0.97, 0.99, 0.96, 0.98), (0.98, 0.97, 0.96, 0.95))
    difference = np.subtract(found.ours, found.theirs)
    expected = stats.t.interval(0.9, 3, difference.mean(), stats.sem(difference))
    assert found.interval == pytest.approx(expected, rel=1e-3)


def test_an_interval_within_a_point_agrees() -> None:
    theirs = (0.97, 0.98, 0.99)
    assert Paired((0.972, 0.981, 0.991), theirs).agrees("interval")
    assert not Paired(tuple(x - 1.5 * POINT for x in theirs), theirs).agrees("interval")
    assert not Paired((0.95, 0.98, 1.01), theirs).agrees("interval")


def test_a_mean_within_pytorchs_seeds_agrees() -> None:
    theirs = (2.0, 2.1, 2.3)
    assert Paired((1.9, 2.1, 2.4), theirs).agrees("spread")
    assert not Paired((2.4, 2.4, 2.4), theirs).agrees("spread")


@pytest.mark.parametrize("rule", ["interval", "spread"])
def test_what_is_no_number_agrees_with_nothing(rule: seeds.Agreement) -> None:
    assert not Paired((float("nan"), 0.5, 0.5), (0.5, 0.5, 0.5)).agrees(rule)
    assert not Paired((0.5, 0.5, 0.5), (0.5, float("nan"), 0.5)).agrees(rule)


def test_each_seed_is_trained_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = seeds.trained(TASK, range(3), 4, tmp_path)
    found = seeds.paired(first)
    assert len(set(found.theirs)) == 3 and found.ours == pytest.approx(found.theirs, rel=1e-4)
    assert found.agrees("spread") == (min(found.theirs) <= fmean(found.ours) <= max(found.theirs))
    batches = replace(TASK, batch=lambda seed, step: pytest.fail("it was trained before"))
    assert seeds.paired(seeds.trained(batches, range(3), 4, tmp_path)) == found
    assert capsys.readouterr().out.count("seed 2: loss kept apart uol ") == 2


@pytest.mark.parametrize("given", [["absent"], ["moe", "--seeds", "1"], ["moe", "--seeds", "99"], ["moe", "--first", "-1"]])
def test_bad_input_is_an_error(given: list[str], tmp_path: Path) -> None:
    with pytest.raises(seeds.UolError):
        seeds.main([*given, "-o", str(tmp_path)])


@pytest.mark.soak
@pytest.mark.parametrize("path", ["resnet50", "moe", "cmap"])
def test_a_path_reaches_what_pytorch_reaches(path: str, tmp_path: Path) -> None:
    pytest.importorskip("sklearn", reason="the digits are scikit-learn's")
    assert seeds.main([path, "-o", str(tmp_path)]) == 0
