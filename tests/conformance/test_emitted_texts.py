"""Hashes of emitted texts: the same twice, and what differs is named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from uol.conformance import emitted_texts


def test_texts_are_hashed_and_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before, after = tmp_path / "before.json", tmp_path / "after.json"
    chosen = ["--op", "relu,median", "--target", "cuda", "--dtype", "f32", "--processes", "1"]
    assert emitted_texts.main([*chosen, "-o", str(before)]) == 0
    assert emitted_texts.main([*chosen, "-o", str(after), "--against", str(before)]) == 0
    assert "no difference" in capsys.readouterr().out
    table = json.loads(before.read_text())
    assert {"cuda relu f32 relu.cu", "cuda relu_grad f32 relu_grad.cu"} <= set(table)
    table["cuda relu f32 relu.cu"], table["cuda gone f32 gone.cu"] = "0", table.pop("cuda median f32 median.cu")
    before.write_text(json.dumps(table))
    assert emitted_texts.main([*chosen, "-o", str(after), "--against", str(before)]) == 1
    shown = capsys.readouterr().out.splitlines()
    assert shown[-3:] == [
        "changed: cuda relu f32 relu.cu",
        "new: cuda median f32 median.cu",
        "gone: cuda gone f32 gone.cu",
    ]


def test_texts_of_any_size_are_others(tmp_path: Path) -> None:
    """A kernel that takes its length is not the one that is made for it."""
    hashes = []
    for name, flags in (("fixed", []), ("any", ["--any-size"])):
        chosen = ["--op", "relu", "--target", "cuda", "--dtype", "f32", "--processes", "1", *flags]
        assert emitted_texts.main([*chosen, "-o", str(tmp_path / name)]) == 0
        hashes.append(json.loads((tmp_path / name).read_text()))
    assert hashes[0]["cuda relu f32 relu.cu"] != hashes[1]["cuda relu f32 any size relu.cu"]
