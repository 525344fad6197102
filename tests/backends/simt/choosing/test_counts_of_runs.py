"""What a launch over many runs is said to move and issue is what its run in the twin counts."""

from __future__ import annotations

import numpy as np
import pytest

import uol
from uol.backends import registry
from uol.backends.simt.choosing.issued_by_runs import APART
from uol.backends.simt.elements.foreach_plan import LENGTHS, PLACES, ROWS, SPAN
from uol.backends.simt.elements.schedule import RUN
from uol.backends.twin import Job, execute_many, kind_of
from uol.codegen.backend import Module
from uol.codegen.extensions import CountsRuns
from uol.conformance.cases.counted import total
from uol.ir.integers.intervals import Interval

RUNS = (RUN, 64, 4099, 1)
OPTIONS = {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.01, "nesterov": 0}


def foreach_module(target: str) -> Module:
    backend = registry.get(target)
    assert isinstance(backend, CountsRuns)
    module = uol.compile("sgd_momentum_mixed", target, {"T": "f32", "U": "f16"}, {"S": (RUN,)}, {"lr": 0.1}).module
    found = backend.foreach_module(module)
    assert found is not None
    return found


@pytest.mark.parametrize("target", ["cuda", "hip"])
def test_counts_of_runs_enclose_what_is_counted(target: str) -> None:
    module, backend = foreach_module(target), registry.get(target)
    starts = np.cumsum([0, *(-(-length // APART) * APART for length in RUNS)])
    span = int(starts[-1])
    inputs = {name: np.ones(span, np.float32) for name in ("p", "g", "buf")}
    tables = {PLACES: np.repeat(starts[:-1], 6), LENGTHS: np.array(RUNS)}
    (run,) = execute_many([Job(module, inputs | tables, {**OPTIONS, ROWS: len(RUNS), SPAN: span}, counted=True)])
    assert isinstance(backend, CountsRuns)
    table, step = backend.issued_by_runs(module, RUNS, backend.devices[module.device_name])
    assert (table.issued.launches, table.issued.memory_bytes) == (1, len(RUNS) * 7 * 8)
    assert step.issued.memory_bytes == sum(RUNS) * (5 * 4 + 2) + table.issued.memory_bytes
    said = total([step.issued])
    for name, seen in kind_of(module.backend).observed(run.counts).items():
        count = said.get(name, Interval(0, 0))
        assert (count.low or 0) <= seen <= (seen if count.high is None else count.high), (name, count, seen)


def test_no_runs_are_nothing() -> None:
    backend = registry.get("cuda")
    assert isinstance(backend, CountsRuns)
    assert backend.issued_by_runs(foreach_module("cuda"), (), backend.devices["a100"]) == ()
