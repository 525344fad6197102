"""What a run takes of the machine: it is refused with numbers where that is not there, and killed runs leave nothing."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from hand_written import MACHINES, dense, module

from uol.backends.twin import Job, execute, execute_many, folders, kind_of, machine, room, run
from uol.backends.twin.machine import Budget
from uol.codegen.backend import Launch, Module
from uol.codegen.specs.nodes import Arg
from uol.compiler import compile
from uol.ir.errors import ResourceError
from uol.ir.program.nodes import Const, Scalar, Var

HERE = Path(__file__).parent
COPY = """#include "uol_device.h"
extern "C" __global__ void copy(const float* x, float* y)
{
  y[threadIdx.x] = x[threadIdx.x];
}
"""
X = np.arange(8, dtype=np.float32)


def copy(*more: Arg) -> Module:
    args = (dense("x", "f32", (8,), "in"), dense("y", "f32", (8,), "out"), *more)
    return module("cuda", COPY, args, {"copy": Launch((1, 1, 1), (8, 1, 1))}, uses={"copy": ("x", "y")})


def test_a_run_that_is_too_large_is_refused_with_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "free_memory_bytes", lambda: 3 << 30)
    monkeypatch.setattr(run, "build_modules", lambda orders: pytest.fail("nothing is built"))
    half = dense("w", "f16", (1 << 28,), "workspace")  # 0.5 GiB, and 4 GiB of cells
    with pytest.raises(
        ResourceError, match=r"op needs 6\.5 GiB of memory in the twin, of which 512\.0 MiB are 'w'; 3\.0 GiB are free"
    ):
        execute_many([Job(copy(half), {"x": X})])
    room.ensure_room(copy(half), {}, checked=False)


def test_a_buffer_that_the_twin_cannot_hold_is_refused() -> None:
    with pytest.raises(ResourceError, match=r"the workspace 'w' takes 256\.0 GiB; the twin holds 16\.0 GiB a buffer") as error:
        execute(copy(dense("w", "f32", (1 << 36,), "workspace")), {"x": X})
    assert error.value.hint == "give it smaller sizes"


def test_open_sizes_count() -> None:
    args = (Arg("x", "f32", (Var("N"),), (Const(1),), "in"), Arg("y", "f32", (Var("N"),), (Const(1),), "out"))
    scalars = (Scalar("N", "i64"),)
    built = module("hip", COPY, args, {"copy": Launch((1, 1, 1), (8, 1, 1))}, scalars=scalars)
    small, large = (room.needed_bytes(built, {"N": n}, checked=True) for n in (8, 1 << 29))
    assert small < 4096
    assert large >= (1 << 29) * (2 * 4 + 16)
    with pytest.raises(ResourceError):
        room.ensure_room(built, {"N": 1 << 45})


def test_memory_is_the_less_of_the_system_s_and_the_container_s(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "meminfo").write_text("MemTotal: 9000 kB\nMemAvailable:    5000 kB\n")
    monkeypatch.setattr(machine, "MEMINFO", tmp_path / "meminfo")
    monkeypatch.setattr(machine, "CGROUP", tmp_path)
    assert machine.free_memory_bytes() == 5000 * 1024
    for name, text in (
        ("memory.max", "4000000\n"),
        ("memory.current", "3000000\n"),
        ("memory.stat", "anon 1\ninactive_file 500\n"),
    ):
        (tmp_path / name).write_text(text)
    assert machine.free_memory_bytes() == 1_000_500
    (tmp_path / "memory.max").write_text("max\n")
    assert machine.free_memory_bytes() == 5000 * 1024
    monkeypatch.setattr(machine, "MEMINFO", tmp_path / "none")
    assert machine.free_memory_bytes() is None


def test_runs_that_do_not_fit_together_wait_for_each_other() -> None:
    budget, together, most = Budget(10), 0, 0
    changed = threading.Lock()

    def hold(amount: int) -> None:
        nonlocal together, most
        with budget.of(amount):
            with changed:
                together += min(amount, 10)
                most = max(most, together)
            time.sleep(0.01)
            with changed:
                together -= min(amount, 10)

    threads = [threading.Thread(target=hold, args=(n,)) for n in (4, 7, 3, 12, 6, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 0 < most <= 10
    assert together == 0


def test_as_many_run_at_once_as_there_are_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {1, 4, 5})
    assert machine.processors() == 3


KILLED = """
import sys
sys.path.insert(0, {here!r})
import numpy as np
from hand_written import MACHINES, dense, module
from uol.backends.twin import Job, execute_many, folders
from uol.codegen.backend import Launch
folders.MEMORY = {place!r}
text = '''#include "uol_device.h"
extern "C" __global__ void spin(volatile float* y)
{{
  while (y[0] != 1.0f) y[1] = 2.0f;
}}
'''
built = module("cuda", text, (dense("y", "f32", (8,), "out"),), {{"spin": Launch((1, 1, 1), (1, 1, 1))}})
execute_many([Job(built, {{}}, timeout_s=2.0, capability=MACHINES["cuda"])])
"""


def test_what_a_killed_run_leaves_goes_with_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folders, "MEMORY", str(tmp_path))
    process = subprocess.Popen([sys.executable, "-c", KILLED.format(here=str(HERE), place=str(tmp_path))])
    try:
        deadline = time.time() + 60
        while not list(tmp_path.glob("uol-twin-*/job")):
            assert time.time() < deadline
            assert process.poll() is None
            time.sleep(0.02)
        (folder,) = tmp_path.glob("uol-twin-*")
        execute_many([])
        assert folder.is_dir(), "it is running still"
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert folder.is_dir()
    deadline = time.time() + 60
    while folder.exists():  # a process that the run was just starting holds the lock, too, until its own program begins
        assert time.time() < deadline
        execute_many([])


def test_only_abandoned_folders_of_runs_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folders, "MEMORY", str(tmp_path))
    fresh, old, foreign = (tmp_path / name for name in ("uol-twin-fresh", "uol-twin-old", "another"))
    for folder in (fresh, old, foreign):
        folder.mkdir()
    os.utime(old, (0, 0))
    os.utime(foreign, (0, 0))
    with folders.run_folder(0) as running:
        folders.sweep()
        assert running.parent == tmp_path
        assert running.is_dir()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["another", "uol-twin-fresh"]


def test_what_killed_processes_left_in_the_cache_goes(tmp_path: Path) -> None:
    for part in ("exe/new-old", "exe/new-fresh", "exe/built"):
        (tmp_path / part).mkdir(parents=True)
    (tmp_path / "index").mkdir()
    (tmp_path / "index" / "new-old").write_text("")
    for part in ("exe/new-old", "exe/built", "index/new-old"):
        os.utime(tmp_path / part, (0, 0))
    folders.sweep_unfinished(tmp_path)
    assert sorted(p.name for p in tmp_path.glob("*/*")) == ["built", "new-fresh"]


def full(*_: object, **__: object) -> None:
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize("what", ["folders.tempfile.mkdtemp", "job_file.os.posix_fallocate"])
def test_a_full_folder_is_said_with_its_name(monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    execute(copy(), {"x": X})  # what the cache writes has room
    monkeypatch.setattr(f"uol.backends.twin.{what}", full)
    with pytest.raises(ResourceError, match=r"in /|to /.*No space left on device") as error:
        execute(copy(), {"x": X})
    assert "TMPDIR" in (error.value.hint or "")


def test_no_folder_for_temporary_files_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere() -> str:
        raise FileNotFoundError(2, "No usable temporary directory found in ['/tmp', '/var/tmp']")

    monkeypatch.setattr(folders, "MEMORY", "/nonexistent")
    monkeypatch.setattr(folders.tempfile, "gettempdir", nowhere)
    monkeypatch.setattr(folders.tempfile, "mkdtemp", lambda **_: nowhere())
    with pytest.raises(ResourceError, match="No usable temporary directory found") as error:
        execute(copy(), {"x": X})
    assert "TMPDIR" in (error.value.hint or "")


def test_a_disk_that_is_full_for_the_compiler_is_no_fault_of_the_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compiler = tmp_path / "g++"
    compiler.write_text("#!/bin/sh\necho 'as: cannot write glue.o: No space left on device' >&2\nexit 1\n")
    compiler.chmod(0o755)
    kind = dataclasses.replace(kind_of("cuda"), compiler=str(compiler))
    monkeypatch.setattr(run, "kind_of", lambda backend: kind)
    monkeypatch.setenv("UOL_CACHE_DIR", str(tmp_path / "cache"))
    with pytest.raises(ResourceError, match="cannot build the twin.*No space left on device") as error:
        execute(copy(), {"x": X})
    assert "UOL_CACHE_DIR" in (error.value.hint or "")


def test_a_process_that_the_system_ended_is_said() -> None:
    assert "memory" in run.death(-signal.SIGKILL, "").message
    assert "memory" not in run.death(-signal.SIGSEGV, "").message
    assert "too many threads" in run.death(2, "noise\ntoo many threads\n").message


SCALE = """#include "uol_device.h"
extern "C" __global__ void scale(float* y, float factor, int n)
{
  if (threadIdx.x < 2) y[threadIdx.x] = threadIdx.x ? float(n) : factor;
}
"""


@pytest.mark.parametrize(
    ("value", "n"),
    [(-1e30, -(2**31)), (1e30, 0), (float("inf"), 0), (float("-inf"), 0), (float("nan"), 0), (10**400, 0), (-(2**63) - 1, 0)],
    ids=["-1e30", "1e30", "inf", "-inf", "nan", "10**400", "-2**63-1"],
)
def test_a_scalar_may_have_any_value(value: float | int, n: int) -> None:
    scalars = (Scalar("factor", "f32"), Scalar("n", "i32"))
    built = module("cuda", SCALE, (dense("y", "f32", (2,), "out"),), {"scale": Launch((1, 1, 1), (32, 1, 1))}, scalars=scalars)
    (result,) = execute_many([Job(built, {}, {"factor": value, "n": n}, capability=MACHINES["cuda"])])
    assert not result.findings
    expected = float("inf") if value == 10**400 else float(value)
    np.testing.assert_array_equal(result.outputs["y"], np.array([expected, n], np.float32))


VALUES = (-1e30, float("inf"), float("-inf"), float("nan"))


@pytest.mark.parametrize("target", ["cuda", "hip", "ascendc"])
def test_masked_fill_takes_any_value(target: str) -> None:
    x, mask = np.array([1, 2, 3, 4], np.float32), np.array([True, False, False, True])
    jobs = []
    for value in VALUES:
        built = compile("masked_fill", target=target, dtype="f32", dims={"S": (4,)}, attrs={"value": value}).module
        jobs.append(Job(built, {"x": x, "mask": mask}, {"value": value}))
    for value, result in zip(VALUES, execute_many(jobs), strict=True):
        assert not result.findings
        np.testing.assert_array_equal(result.outputs["y"], np.array([value, 2, 3, value], np.float32))
