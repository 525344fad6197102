"""Every flag and barrier of the right kernels is needed: without it the 910B's twin finds something."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from test_twin_ascend_kernels import add_job, columns_job, matmul_job, softmax_job

from uol.backends.twin import Job, execute_many
from uol.codegen.backend import SourceFile


@dataclass(frozen=True)
class Mutant:
    kernel: str
    line: int
    dropped: str
    job: Job


def without(job: Job, dropped: range) -> Job:
    """The job with lines of its text (from 0) blanked."""
    lines = job.module.device.text.splitlines()
    text = "\n".join("" if number in dropped else line for number, line in enumerate(lines))
    return replace(job, module=replace(job.module, device=SourceFile("op.cpp", text)), timeout_s=5.0)


def mutants(name: str, job: Job) -> Iterator[Mutant]:
    """Each flag and barrier dropped; each SetFlag dropped together with the WaitFlag right behind it."""
    lines = [line.strip() for line in job.module.device.text.splitlines()]
    for number, line in enumerate(lines):
        if re.match(r"(SetFlag|WaitFlag|PipeBarrier)\b", line):
            yield Mutant(name, number + 1, line, without(job, range(number, number + 1)))
        if line.startswith("SetFlag") and lines[number + 1] == line.replace("SetFlag", "WaitFlag"):
            yield Mutant(name, number + 1, line + " and its wait", without(job, range(number, number + 2)))


def test_no_mutant_survives() -> None:
    rng = np.random.default_rng(8)
    jobs = {
        "add": add_job(5000, 2, rng),
        "softmax": softmax_job(7, 100, rng),
        "columns": columns_job(5, 13, 2, 9, rng),
        "half matmul": matmul_job(50, 37, 100, "f16", rng),
        "float matmul": matmul_job(50, 37, 29, "f32", rng),
    }
    made = [mutant for name, job in jobs.items() for mutant in mutants(name, job)]
    runs = execute_many([mutant.job for mutant in made])
    survivors = [f"{m.kernel}:{m.line}: {m.dropped}" for m, run in zip(made, runs, strict=True) if not run.findings]
    assert len(made) > 60
    assert not survivors
