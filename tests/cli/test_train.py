"""`uol train` on the command line."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from command_line import uol

from uol.conformance.paths import task_of
from uol.conformance.paths.task import Batch, Task


def test_a_path_is_trained_for_its_own_number_of_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("sklearn", reason="the digits are scikit-learn's")
    short: Task = replace(task_of("resnet50"), steps=2, validate=lambda module: 0.5)
    monkeypatch.setattr("uol.conformance.paths.task_of", lambda name: short)
    result = uol("train", "resnet50", "--side", "pytorch", "-o", tmp_path / "t")
    assert result.status == 0, result.err
    assert "2 steps" in result.out and (tmp_path / "t" / "training.html").exists()
    log = json.loads((tmp_path / "t" / "training.json").read_text())
    assert len(log["courses"]["pytorch"]["losses"]) == 2 and log["courses"]["pytorch"]["figures"] == {"2": 0.5}


def test_a_training_is_not_overwritten_without_force(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("sklearn", reason="the digits are scikit-learn's")
    short: Task = replace(task_of("resnet50"), steps=1, validate=lambda module: 0.5)
    monkeypatch.setattr("uol.conformance.paths.task_of", lambda name: short)
    words = ("train", "resnet50", "--side", "pytorch", "-o", tmp_path)
    assert uol(*words).status == 0
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    refused = uol(*words, "--seed", "1")
    assert refused.status == 2 and "--resume" in refused.err and "--force" in refused.err
    assert f"'{tmp_path}' holds a training already: checkpoint.pt, training.json, training.html" in refused.err
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before
    assert uol(*words, "--resume", "--force").status == 2
    assert uol(*words, "--seed", "1", "--force").status == 0
    assert json.loads((tmp_path / "training.json").read_text())["seed"] == 1


def test_a_nan_in_a_batch_exits_1_and_is_no_success(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("sklearn", reason="the digits are scikit-learn's")
    whole: Task = task_of("resnet50")

    def broken(seed: int, step: int) -> Batch:
        x, *others = whole.batch(seed, step)
        x.view(-1)[17] = float("nan")
        return (x, *others)

    monkeypatch.setattr("uol.conformance.paths.task_of", lambda name: replace(whole, steps=1, batch=broken))
    result = uol("train", "resnet50", "--side", "pytorch", "-o", tmp_path)
    assert result.status == 1 and "stopped: the batch of step 0" in result.out and "holds NaN" in result.out
    assert "there is no checkpoint yet" in json.loads((tmp_path / "training.json").read_text())["stopped"]
    assert not (tmp_path / "checkpoint.pt").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("vgg",), "unknown path 'vgg'"),
        (("moe", "--side", "jax"), "--side is 'jax'"),
        (("moe", "--dtype", "f8"), "--dtype is 'f8'"),
        (("moe", "--side", "pytorch", "--resume"), "there is no checkpoint"),
    ],
)
def test_bad_input_exits_2(arguments: tuple[str, ...], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = uol("train", *arguments)
    assert result.status == 2 and message in result.err
