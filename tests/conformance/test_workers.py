"""Several processes: they find what one finds, and one that dies spoils its own case alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from uol.conformance.cases import workers
from uol.conformance.cases.selection import Selection, plan
from uol.conformance.cases.verdict import Verdict
from uol.conformance.cases.workers import gather
from uol.ir.errors import UolError
from uol.operators.sources import OperatorSources, import_operators

DYING = """
import os, signal
import uol

def die(x):
    os.kill(os.getpid(), signal.SIGSEGV)

uol.op("op own_living(x: f32[N]) -> (y: f32[N]) { y[n] = x[n] * 2 }", cases=[{"N": 5}])
uol.op("op own_dying(x: f32[N]) -> (y: f32[N]) { y[n] = x[n] * 3 }", reference=die, cases=[{"N": 5}])
"""


@pytest.mark.usefixtures("own_cache")
def test_a_process_that_dies_is_a_failure_of_its_case(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "BATCH", 1)
    file = tmp_path / "dying_operators.py"
    file.write_text(DYING)
    ops = import_operators(str(file))
    seen: list[Verdict] = []

    def progress(verdicts: Sequence[Verdict]) -> None:
        seen.extend(verdicts)

    groups = plan(Selection(ops, ("cpu",), first=True, adversarial=False)).groups
    evidence = gather(groups, OperatorSources(modules=(str(file),)), 2, progress)
    assert [(v.case.op, v.state) for v in evidence.verdicts] == [("own_living", "passed"), ("own_dying", "failed")]
    assert evidence.verdicts[1].reason == "the process that ran it died (signal SIGSEGV)"
    assert {v.case.op for v in seen} == set(ops)


def test_what_a_process_cannot_load_is_the_commands_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "BATCH", 1)
    groups = plan(Selection(("relu", "neg"), ("cpu",), first=True, adversarial=False)).groups
    with pytest.raises(UolError, match="cannot read 'absent.uol'"):
        gather(groups, OperatorSources(files=("absent.uol",)), 2, lambda verdicts: None)
