"""The way from a call to a text is counted: files and boundaries."""

from __future__ import annotations

import re

import pytest

from uol.conformance import walk


def test_the_way_to_a_text_is_counted(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(walk, "PAIRS", (("relu", "cuda"),))
    assert walk.main(["--list"]) == 0
    *boundaries, last = capfd.readouterr().out.splitlines()
    found = re.fullmatch(r"relu cuda: (\d+) files, (\d+) boundaries", last)
    assert found is not None and int(found[2]) == len(boundaries) > 100 and int(found[1]) > 50
    assert all(line.split()[0] != line.split()[1] for line in boundaries)
