"""Workers that a DataLoader starts in the first step of a training, on a cold cache, while another thread compiles."""

from __future__ import annotations

import pytest

from uol.conformance.fork_safety import __main__ as fork_safety


@pytest.mark.parametrize(("start", "delay_s"), [("fork", 1.0), pytest.param("spawn", 0.0, marks=pytest.mark.soak)])
def test_workers_come_to_an_end_with_right_values(start: str, delay_s: float) -> None:
    """Twenty runs: `python -m uol.conformance.fork_safety`."""
    assert fork_safety.outcome(delay_s, start, limit_s=300) == "right"
