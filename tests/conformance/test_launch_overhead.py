"""The command that measures launches; the figures are for a quiet machine, so that here only the judgement is tested."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from uol.backends.stub_driver.stub import opened
from uol.conformance import launch_overhead
from uol.conformance.launch_overhead import Measured


@pytest.mark.parametrize(("us", "status"), [(5.0, 0), (7.0, 1)])
def test_the_exit_status_says_whether_the_bound_holds(
    us: float, status: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(launch_overhead, "measure", lambda: (Measured("cuda", 1, us, 6), Measured("cuda", 3, 9.0, 10)))
    assert launch_overhead.main() == status
    assert ("EXCEEDED" in capsys.readouterr().out) is bool(status)


def test_what_is_measured_are_launches(monkeypatch: pytest.MonkeyPatch) -> None:
    launched: list[int] = []

    def once(call: Callable[[], object]) -> float:
        stub.library.stub_recording(1)
        stub.clear()
        call()
        launched.append(sum("Launch" in each["call"] and each["status"] == 0 for each in stub.records()))
        return 1.0

    with opened() as stub:
        monkeypatch.setattr(launch_overhead, "best_us", once)
        monkeypatch.setattr(launch_overhead, "ROUNDS", 2)
        assert [each.kernels for each in launch_overhead.measure()] == launched[:4] == launched[4:] == [1, 3, 1, 3]
