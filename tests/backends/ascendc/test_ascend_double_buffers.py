"""Double buffers are used again and again in a run of the twin, so that a flag that comes too early is seen.

A premature flag lets a pipe into the slot of the next tile but one while it is still in use: nothing is wrong before a slot is
used a second time.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest
from simt_cases import Case, job_of
from test_ascend_golden import CASES

from uol.backends.twin import Job, TwinRun, execute_many
from uol.backends.twin.ascend_buffers import double_buffers
from uol.codegen.backend import SourceFile

FEWEST = 3
SLOTTED = [case for case in CASES if case.op != "relu"]
"""The golden kernels with double buffers: relu's tiles are no more than there are cores."""
ORDINARY = Case("softmax", {"S": 50, "C": 257}, "f16", rank=1)
"""Fifty rows over 48 cores: two of them take two rows, one in each slot; no slot is used twice."""
PIPE = {
    "MTE2": r"DataCopy\w*\((?!\w+_gm\b)|InitConstValue",
    "MTE3": r"DataCopyPad\(\w+_gm\b",
    "MTE1": r"LoadData\w*\(",
    "M": r"Mmad\(",
    "FIX": r"Fixpipe<",
}
"""What the instructions of a pipe are called; any other call is the vector unit's."""
NOT_V = re.compile(rf"{'|'.join(PIPE.values())}|SetFlag|WaitFlag|PipeBarrier|const |for |if |//|\}}|\w+Params")


@pytest.fixture(scope="module")
def runs() -> dict[str, tuple[Job, TwinRun]]:
    cases = [*SLOTTED, ORDINARY]
    jobs = [job_of(case, "ascendc") for case in cases]
    return dict(zip(map(str, cases), zip(jobs, execute_many(jobs), strict=True), strict=True))


@pytest.mark.parametrize("case", [*SLOTTED, ORDINARY], ids=str)
def test_every_double_buffer_is_filled_again(runs: dict[str, tuple[Job, TwinRun]], case: Case) -> None:
    job, run = runs[str(case)]
    assert not run.findings
    assert set(run.reuses) == {b.label for b in double_buffers(job.module.device.text)} != set()
    assert min(run.reuses.values()) >= FEWEST, run.reuses


def test_on_all_cores_the_ordinary_case_uses_no_slot_twice(runs: dict[str, tuple[Job, TwinRun]]) -> None:
    (run,) = execute_many([replace(runs[str(ORDINARY)][0], most_blocks=None)])
    assert not run.findings
    assert set(run.reuses.values()) == {0}


@dataclass(frozen=True)
class Premature:
    """A text whose flag at `line` (from 0) comes before the instruction that it guards."""

    line: int
    flag: str
    job: Job


def premature(job: Job) -> Iterator[Premature]:
    """Every flag of a slot set before the last instruction of its pipe, within the block that both stand in."""
    lines = job.module.device.text.splitlines()
    for number, line in enumerate(lines):
        match = re.match(r"( *)SetFlag<HardEvent::(\w+?)_(\w+)>\(slot", line)
        guarded = _guarded(lines, number, match[1], match[2]) if match else None
        if guarded is not None:
            moved = [*lines[:guarded], line, *lines[guarded:number], *lines[number + 1 :]]
            text = SourceFile(job.module.device.name, "\n".join(moved) + "\n")
            yield Premature(number, line.strip(), replace(job, module=replace(job.module, device=text), timeout_s=5.0))


def _guarded(lines: list[str], number: int, indent: str, pipe: str) -> int | None:
    """The line where the pipe's last statement before line `number` starts, a loop of its instructions as a whole."""
    for at in range(number - 1, 0, -1):
        if not lines[at].startswith(indent):
            return None
        if lines[at].startswith(indent + " ") or lines[at] == indent + "}":
            continue
        body = "\n".join(lines[at:number])
        inside = [line.strip() for line in body.splitlines()]
        mine = [x for x in inside if (re.match(PIPE[pipe], x) if pipe in PIPE else not NOT_V.match(x) and x)]
        if mine:
            return at
    return None


def test_a_premature_flag_is_found_on_the_ordinary_case(runs: dict[str, tuple[Job, TwinRun]]) -> None:
    made = list(premature(runs[str(ORDINARY)][0]))
    assert {p.flag for p in made} == {
        "SetFlag<HardEvent::MTE2_V>(slot);",
        "SetFlag<HardEvent::V_MTE2>(slot);",
        "SetFlag<HardEvent::V_MTE3>(slot);",
        "SetFlag<HardEvent::MTE3_V>(slot);",
    }
    found = execute_many([p.job for p in made])
    assert [p.flag for p, run in zip(made, found, strict=True) if not run.findings] == []
    on_all_cores = execute_many([replace(p.job, most_blocks=None) for p in made])
    survivors = [p.flag for p, run in zip(made, on_all_cores, strict=True) if not run.findings]
    assert survivors == ["SetFlag<HardEvent::V_MTE2>(slot);", "SetFlag<HardEvent::MTE3_V>(slot);"]


@pytest.mark.parametrize("case", SLOTTED, ids=str)
def test_no_premature_flag_of_a_golden_kernel_survives(runs: dict[str, tuple[Job, TwinRun]], case: Case) -> None:
    made = list(premature(runs[str(case)][0]))
    found = execute_many([p.job for p in made])
    assert made
    assert [(p.line, p.flag) for p, run in zip(made, found, strict=True) if not run.findings] == []
