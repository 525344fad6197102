"""Random operators: kernels without findings, results near the golden value."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from random_ops import Case, typed_ops

from uol.backends import registry
from uol.backends.twin import Job, execute_many
from uol.codegen.choice import compile_graph
from uol.codegen.lowering import lower
from uol.ir import Library, instantiate, interpret, parse
from uol.ir.program.nodes import Program

NUMPY = {"f32": np.float32, "f16": np.float16, "i32": np.int32}
CLOSE = {"f32": 1e-3, "f16": 3e-2}


def random_cases(count: int, largest: int) -> list[Case]:
    """The same operators in every run."""
    found: list[Case] = []

    @settings(
        max_examples=count,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )
    @given(typed_ops(dtypes=("f32", "f16"), smallest=1, largest=largest))
    def collect(case: Case) -> None:
        found.append(case)

    collect()
    return found


def job_of(case: Case) -> tuple[Program, Job]:
    backend = registry.get("ascendc")
    ops = parse(case.text)
    program = instantiate(ops[0], Library(ops), types={"T": case.dtype}, dims=case.dims)
    module = compile_graph(lower(program, backend, {}), backend, backend.devices[backend.default_device])
    buffers = {t.name: np.asarray(case.inputs[t.name]).astype(NUMPY[t.dtype]) for t in program.by_role("in")}
    return program, Job(module, buffers)


@pytest.mark.parametrize("largest", [9, 70, 300])
def test_random_operators(largest: int) -> None:
    cases = random_cases(20, largest)
    jobs = [job_of(case) for case in cases]
    for case, (program, job), run in zip(cases, jobs, execute_many([j for _, j in jobs]), strict=True):
        assert not run.findings, f"{case.text} {case.dims}\n{run.findings}\n{job.module.device.text}"
        golden = interpret(program, case.inputs)
        for name, found in run.outputs.items():
            expected = np.asarray(golden[name], np.float64)
            error = np.abs(found.astype(np.float64) - expected)
            near = error <= CLOSE[case.dtype] * (1 + np.abs(expected))
            assert near.all(), f"{case.text} {case.dims}\n{name}: {found} {expected}"
