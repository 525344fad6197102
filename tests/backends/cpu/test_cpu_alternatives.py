"""Schedules beside the preferred one: each computes the operator, within its contract."""

from __future__ import annotations

import pytest

import uol
from uol.backends.cpu.backend import BACKEND
from uol.backends.cpu.host import Host
from uol.backends.cpu.schedules.alternatives import MOST, alternatives
from uol.backends.cpu.schedules.kinds import Dots, Loops, Panels, Reduction, Strips, Tiles
from uol.cli.trial import try_compiled
from uol.codegen.schedule import schedule_text

AVX512, AVX2 = Host("znver4", 64, 32, 2), Host("znver3", 32, 16, 2)
CASES = {
    "tiles": ("matmul", {"S": (), "M": 31, "K": 45, "N": 53}, Tiles),
    "panels": ("linear", {"S": 211, "K": 523, "N": 91}, Panels),
    "dots": ("linear", {"S": 3, "K": 301, "N": 61}, Dots),
    "cols": ("softmax", {"S": 7, "C": 333}, Reduction),
    "rows": ("sum", {"S": (3, 50), "C": 7}, Reduction),
    "strips": ("attention", {"B": 2, "H": 3, "G": 3, "L": 37, "M": 41, "D": 16, "E": 24}, Strips),
}


@pytest.mark.parametrize("case", CASES)
def test_each_computes_the_same(case: str) -> None:
    op, dims, kind = CASES[case]
    seen = 0
    for kernel in uol.compile(op, "cpu", "f32", dims).module.kernels:
        if not isinstance(kernel.schedule, kind):
            continue
        for schedule in list(BACKEND.schedules(kernel.spec, BACKEND.devices["host"]))[1:-1]:
            given = f"kernel={kernel.spec.name},{schedule_text(schedule)}"
            trial = try_compiled(uol.compile(op, "cpu", "f32", dims, schedule=given))
            assert trial.passed, (given, trial)
            seen += 1
    assert seen


@pytest.mark.parametrize("host", [AVX512, AVX2])
@pytest.mark.parametrize(
    "best",
    [
        Tiles(6, 2, 8, 1, True),
        Tiles(1, 1, 8, 1, True),
        Tiles(14, 2, 16, 9, True),
        Panels(6, 4, 16, 256, 20, 4, True),
        Dots(4, 4, 8, True),
    ],
)
def test_they_are_few_and_fit_the_registers(best: Tiles | Panels | Dots, host: Host) -> None:
    found = alternatives(best, host)
    assert 0 < len(found) <= MOST
    assert best not in found and Loops() not in found
    for schedule in found:
        assert type(schedule) is type(best)
        if isinstance(schedule, Tiles | Panels) and (schedule.rows, schedule.vectors) != (best.rows, best.vectors):
            assert schedule.rows * schedule.vectors + schedule.vectors + 1 <= host.vector_registers
