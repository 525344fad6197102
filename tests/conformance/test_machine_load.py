"""What tells that a machine was not quiet: what its cores did, and how far times spread."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from pathlib import Path

import pytest

from uol.conformance.bench.machine_load import Disturbance, Reading, read_machine, spread
from uol.conformance.bench.measurement import Timing

STAT = """\
cpu  900 0 900 900 900 900 900 900 900 0
cpu0 100 20 30 400 50 6 7 80 90 0
cpu1 200 0 0 300 0 0 0 0 0 0
cpu7 999 0 0 0 0 0 0 999 0 0
intr 5
"""
QUIET = Reading(0.0, 0.0, 0.0, 0.0, 2, 0.5)


def a_system(folder: Path, stat: str, load: str = "1.50 2.00 3.00 4/90 12") -> Path:
    (folder / "stat").write_text(stat)
    (folder / "loadavg").write_text(load)
    return folder


def test_the_cores_that_a_process_may_run_on_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the columns of proc(5): a guest's time is in the user's, what waits for a disk is idle."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    monkeypatch.setattr(os, "sysconf", lambda _: 100)
    reading = read_machine(a_system(tmp_path, STAT))
    assert reading is not None
    assert (reading.busy, reading.stolen, reading.cores, reading.load) == (3.63, 0.8, 2, 1.5)


@pytest.mark.parametrize("stat", ["", "cpu0 1 2 3\n", "cpu0 a b c d e f g h i j\n"])
def test_a_system_that_tells_nothing_disturbs_nothing(tmp_path: Path, stat: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0})
    assert read_machine(a_system(tmp_path, stat)) is None and read_machine(tmp_path / "none") is None
    assert Disturbance.between(None, None).reasons == ()


@pytest.mark.skipif(read_machine() is None, reason="the system does not tell what its cores do")
def test_what_another_process_takes_is_seen() -> None:
    """On any machine, however busy: the readings grow by what a process that computes takes at least."""
    before = read_machine()
    burn = "import time\nwhile time.process_time() < 0.5: pass"
    subprocess.run([sys.executable, "-S", "-c", burn], check=True)
    after = read_machine()
    assert before is not None and after is not None
    assert (after.busy - before.busy) - (after.own - before.own) > 0.4


@pytest.mark.parametrize(
    ("after", "reasons"),
    [
        (Reading(10, 8, 9.9, 0, 2, 0.5), ()),
        (Reading(10, 8, 10.2, 0, 2, 0.5), ("other processes took 11% of the cores' time",)),
        (Reading(10, 8, 8, 0.6, 2, 0.5), ("the hypervisor took 3% of the cores' time",)),
        (Reading(10, 8, 7.9, 0.3, 2, 99.0), ()),  # the load of the last minute may be this process's own
        (Reading(0.1, 0, 0.2, 0.2, 2, 0.5), ()),  # too short for a count by hundredths
    ],
)
def test_what_others_take_of_the_cores(after: Reading, reasons: tuple[str, ...]) -> None:
    assert Disturbance.between(QUIET, after).reasons == reasons


def test_a_side_whose_times_spread_is_named() -> None:
    steady, spread_out = [[1.0]] * 8, [[1.0], [1.2]] * 4
    assert Timing.of(steady, steady).is_judged
    assert Timing.of(steady, spread_out).disturbance.reasons == ("PyTorch's times spread by 18%",)
    assert Timing.of(spread_out, steady).disturbance.reasons == ("uol's times spread by 18%",)
    assert not Timing.of(steady, steady, QUIET, Reading(10, 0, 10, 0, 2, 1.0)).is_judged
    assert spread([1.0, 9.0, 1.0]) is None and spread([1.0, 1.0, 1.0, math.e]) == pytest.approx((math.e - 1) / 4)
