"""`uol train` on the command line."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from command_line import uol

from uol.conformance.paths import task_of
from uol.conformance.paths.task import Task


def test_a_path_is_trained_for_its_own_number_of_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("sklearn", reason="the digits are scikit-learn's")
    short: Task = replace(task_of("resnet50"), steps=2, validate=lambda module: 0.5)
    monkeypatch.setattr("uol.conformance.paths.task_of", lambda name: short)
    result = uol("train", "resnet50", "--side", "pytorch", "-o", tmp_path / "t")
    assert result.status == 0, result.err
    assert "2 steps" in result.out and (tmp_path / "t" / "training.html").exists()
    log = json.loads((tmp_path / "t" / "training.json").read_text())
    assert len(log["courses"]["pytorch"]["losses"]) == 2 and log["courses"]["pytorch"]["figures"] == {"2": 0.5}


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
