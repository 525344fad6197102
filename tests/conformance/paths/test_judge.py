"""`python -m uol.conformance.paths.judge`: a path's errors, value by value."""

from __future__ import annotations

import pytest

from uol.conformance.paths import judge
from uol.conformance.paths.draw import Values
from uol.conformance.paths.moe.draw import LayerDraw
from uol.ir.errors import UolError


def test_each_value_is_judged_and_one_that_is_off_fails(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["moe", "--size", "narrow", "--dtype", "f32", "--draws", "1"]
    ours = LayerDraw.ours

    def pytorchs(draw: LayerDraw) -> Values:
        """The very errors of PyTorch, on the routing that our side chose."""
        ours(draw)
        return draw.theirs()

    monkeypatch.setattr(LayerDraw, "ours", pytorchs)
    assert judge.main(asked) == 0
    *values, summary = capsys.readouterr().out.splitlines()
    assert len(values) == 8 and all(line.startswith("f32  ok") for line in values)
    assert summary.startswith("f32  8 of 8 values within their limits; geometric means of the ratios: max 0.")
    monkeypatch.setattr(LayerDraw, "ours", lambda draw: {name: value * 1.001 for name, value in pytorchs(draw).items()})
    assert judge.main(asked) == 1
    assert "FAILED" in capsys.readouterr().out


def test_a_path_that_is_none_is_an_error() -> None:
    with pytest.raises(UolError, match="absent"):
        judge.main(["absent"])
