"""Several seeds of a training: both sides are held together by the differences of their figures."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from statistics import fmean

import numpy as np
import pytest
from test_training_runs import TASK

from uol.conformance.paths.task import Task
from uol.conformance.paths.training import seeds
from uol.conformance.paths.training.record import Course, TrainingRecord
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
    assert Paired((0.972, 0.981, 0.991), theirs).verdict("interval") == "agrees"
    assert Paired(tuple(x - 1.5 * POINT for x in theirs), theirs).verdict("interval") == "does not agree"
    assert Paired((0.95, 0.98, 1.01), theirs).verdict("interval") == "is undecided"


def test_a_mean_within_pytorchs_seeds_agrees() -> None:
    theirs = (2.0, 2.1, 2.3)
    assert Paired((1.9, 2.1, 2.4), theirs).verdict("spread") == "agrees"
    assert Paired((2.4, 2.4, 2.4), theirs).verdict("spread") == "does not agree"


@pytest.mark.parametrize("rule", ["interval", "spread"])
def test_what_is_no_number_agrees_with_nothing(rule: seeds.Agreement) -> None:
    assert Paired((float("nan"), 0.5, 0.5), (0.5, 0.5, 0.5)).verdict(rule) == "does not agree"
    assert Paired((0.5, 0.5, 0.5), (0.5, float("nan"), 0.5)).verdict(rule) == "does not agree"


def test_each_seed_is_trained_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = seeds.trained(TASK, range(3), 4, tmp_path)
    found = seeds.paired(first)
    assert len(set(found.theirs)) == 3 and found.ours == pytest.approx(found.theirs, rel=1e-4)
    assert (found.verdict("spread") == "agrees") == (min(found.theirs) <= fmean(found.ours) <= max(found.theirs))
    batches = replace(TASK, batch=lambda seed, step: pytest.fail("it was trained before"))
    assert seeds.paired(seeds.trained(batches, range(3), 4, tmp_path)) == found
    assert capsys.readouterr().out.count("seed 2: loss kept apart uol ") == 2


LOOKS = {"decided": ((0.0, 0.001), 0, 2), "undecided": ((0.0, -0.02), 0, 30), "beyond": ((0.03, 0.031), 1, 2)}
"""Differences of two seeds, the exit status, and how many are trained: all that follow have no difference."""


@pytest.mark.parametrize("name", LOOKS)
def test_seeds_that_decide_nothing_are_followed_by_more(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    differences, status, count = LOOKS[name]
    asked: list[int] = []

    def trained(task: Task, given: Iterable[int], steps: int, folder: Path) -> list[TrainingRecord]:
        asked.extend(numbers := list(given))
        ours = [0.9 + (differences[n] if n < 2 else 0) for n in numbers]
        sides = [{"uol": Course(figures={1: figure}), "pytorch": Course(figures={1: 0.9})} for figure in ours]
        return [TrainingRecord("resnet50", "accuracy", n, task.recipe, s) for n, s in zip(numbers, sides, strict=True)]

    monkeypatch.setattr(seeds, "trained", trained)
    assert seeds.main(["resnet50", "--seeds", "2", "--most", "30", "-o", str(tmp_path)]) == status
    assert asked == list(range(count))


BAD = ("absent", "moe --seeds 1", "moe --seeds 99", "moe --first -1", "moe --most 4")


@pytest.mark.parametrize("given", BAD)
def test_bad_input_is_an_error(given: str, tmp_path: Path) -> None:
    with pytest.raises(seeds.UolError):
        seeds.main([*given.split(), "-o", str(tmp_path)])


@pytest.mark.soak
@pytest.mark.parametrize("path", ["resnet50", "moe", "cmap"])
def test_a_path_reaches_what_pytorch_reaches(path: str, tmp_path: Path) -> None:
    pytest.importorskip("sklearn", reason="the digits are scikit-learn's")
    assert seeds.main([path, "-o", str(tmp_path)]) == 0
