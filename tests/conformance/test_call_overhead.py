"""The command that measures calls; the figures are for a quiet machine, so that here only the judgement is tested."""

from __future__ import annotations

import pytest

from uol.conformance import call_overhead
from uol.conformance.call_overhead import Measured, best_us


def test_the_best_run_counts() -> None:
    assert 0 < best_us(lambda: None, calls=10, runs=3) < 1e3


@pytest.mark.parametrize(("ours", "status"), [(5.0, 0), (7.0, 1)])
def test_the_exit_status_says_whether_the_bound_holds(
    ours: float, status: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(call_overhead, "measure", lambda: (Measured("relu", ours, 1.0, 6), Measured("softmax", 9.0, 1.0)))
    assert call_overhead.main() == status
    assert ("EXCEEDED" in capsys.readouterr().out) is bool(status)
