"""What one process has compiled, the next one finds: `python -m uol.conformance.warm_start`."""

from __future__ import annotations

from dataclasses import replace

import pytest

from uol.conformance import warm_start
from uol.conformance.warm_start import Run, faults


def test_a_second_process_compiles_nothing_and_adds_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    status = warm_start.main(["--runs", "1", "--limit", "5"])  # the machine is busy: how fast it is, the command says
    said = capsys.readouterr().out
    assert "process 1: files   0 ->" in said
    assert "TVM not imported" in said
    assert (status, "FAILED" in said) == (0, False)


COLD = Run(3.0, True, (1.0, 2.0), {"ab/abcd": 1, "ab/abcd.so": 2})
WARM = replace(COLD, cpu_s=0.2, tvm=False)


@pytest.mark.parametrize(
    ("warm", "said"),
    [
        (replace(WARM, files={**COLD.files, "cd/cdef": 3}), "process 2 added or changed cd/cdef"),
        (replace(WARM, files={**COLD.files, "ab/abcd": 9}), "process 2 added or changed ab/abcd"),
        (replace(WARM, tvm=True), "process 2 imported TVM"),
        (replace(WARM, numbers=(1.0, float("nan"))), "process 2 computed something else"),
        (replace(WARM, cpu_s=0.71), "0.71 CPU seconds beyond importing torch: over 0.7"),
    ],
)
def test_what_is_not_as_it_should_be_is_said(warm: Run, said: str) -> None:
    assert faults(COLD, [warm], warm_start.LIMIT_S) == [said]
    assert faults(COLD, [WARM], warm_start.LIMIT_S) == []


def test_a_first_process_that_compiles_nothing_shows_nothing() -> None:
    assert faults(replace(COLD, tvm=False), [WARM], warm_start.LIMIT_S) == ["the first process compiled nothing"]
