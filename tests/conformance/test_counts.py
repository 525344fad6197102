"""What kernels move and issue is what their backends say: a sample of `python -m uol.conformance.counts`, and faults that it
finds."""

from __future__ import annotations

from dataclasses import replace

import pytest

from uol.conformance import counts
from uol.conformance.cases import counted
from uol.conformance.paths.step_checks import kernels_of
from uol.ir.integers.intervals import Interval

OPS = ("softmax", "conv2d", "attention", "grouped_matmul")
"""A row a block, a window, rows that stay on the chip, segments: what has its bounds from guards, and what from data."""


@pytest.fixture(scope="module")
def found() -> counts.Found:
    """Half of the operators on each target."""
    assert counts.is_counted("cuda") and counts.is_counted("hip")
    return [*counts.counts_of(OPS[::2], ["cuda"], ["f16"]), *counts.counts_of(OPS[1::2], ["hip"], ["f16"])]


def test_every_count_is_predicted_or_enclosed(found: counts.Found) -> None:
    assert len(found) == len(OPS)
    assert not [f"{case}: {c}" for case, of_case in found for c in of_case if not c.agrees]


def test_what_no_data_decides_is_predicted_exactly(found: counts.Found) -> None:
    for case, of_case in found:
        open_counts = {c.name for c in of_case if not c.is_exact}
        if "softmax" in case or "conv2d" in case:
            assert not open_counts, case
        assert not open_counts & {"written bytes", "blocks", "launches"}, case


def test_of_kernels_for_any_size_those_are_launched_that_a_size_asks_for() -> None:
    found = counts.counts_of(("softmax",), ["cuda"], ["f16"], "open")
    assert found
    assert not [f"{case}: {c}" for case, of_case in found for c in of_case if not c.is_exact]


def test_kernels_of_a_path_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tokens that go to their experts and back: the first calls of a step, whose rows data decides."""
    monkeypatch.setattr(counts, "kernels_of", lambda *given: kernels_of(*given)[:6])
    found = counts.counts_of_path("moe", "hip", "f16", "narrow")
    assert len(found) == 6
    assert not [f"{case}: {c}" for case, of_case in found for c in of_case if not c.agrees]
    assert {c.is_exact for _, of_case in found for c in of_case} == {True, False}


def test_a_wrong_count_is_reported(found: counts.Found, capsys: pytest.CaptureFixture[str]) -> None:
    (case, of_case), *rest = found
    wrong = [replace(c, observed=c.observed + 1) if c.name == "read bytes" else c for c in of_case]
    assert counts.report([(case, tuple(wrong)), *rest]) == 1
    said = capsys.readouterr().out
    assert f"{case}: read bytes" in said and "1 wrong" in said.splitlines()[-1]
    assert counts.report(found) == 0


@pytest.mark.parametrize(
    ("predicted", "observed", "agrees"),
    [
        (Interval(3, 3), 3, True),
        (Interval(3, 3), 4, False),
        (Interval(1, 5), 5, True),
        (Interval(1, 5), 0, False),
        (Interval(1, None), 9, True),
    ],
)
def test_a_count_agrees_where_it_is_enclosed(predicted: Interval, observed: int, agrees: bool) -> None:
    assert counted.Count("x", predicted, observed).agrees is agrees
