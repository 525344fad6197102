"""What one process has compiled of a model, the next one finds: `python -m uol.conformance.graphs.second_process`."""

from __future__ import annotations

from dataclasses import replace

import pytest

from uol.conformance.graphs.second_process import Process, faults, processes

FIRST, SECOND = Process(27, True, 3.0, "a"), Process(0, False, 1.0, "a")


def test_a_second_process_compiles_nothing() -> None:
    first, second = processes("norm_residual")
    assert faults([first, second]) == [] and first.compiled > 20, (first, second)


@pytest.mark.parametrize(
    ("second", "said"),
    [
        (replace(SECOND, compiled=3), "process 2 compiled 3"),
        (replace(SECOND, has_tvm=True), "process 2 imported TVM"),
        (replace(SECOND, digest="b"), "process 2 gave other results"),
    ],
)
def test_what_is_wrong_is_said(second: Process, said: str) -> None:
    assert faults([FIRST, second]) == [said]
    assert faults([FIRST, SECOND]) == []
    assert faults([SECOND, SECOND]) == ["the first process compiled nothing"]
