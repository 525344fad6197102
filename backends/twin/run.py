"""Run modules in the twin: `execute` one, `execute_many` at once."""

from __future__ import annotations

import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from uol.backends.twin import cache
from uol.backends.twin.arrays import element_type, place
from uol.backends.twin.build import Order, build_modules, order
from uol.backends.twin.cache import Built
from uol.backends.twin.job_file import write_job
from uol.backends.twin.kind import kind_of
from uol.backends.twin.limits import launch_limits, scratch_limits
from uol.backends.twin.record import Array, Finding, Job, TwinRun
from uol.backends.twin.report import read_report
from uol.backends.twin.reuse import reuses_of
from uol.codegen.backend import Capability, Module
from uol.ir.errors import ResourceError

GRACE_S = 10.0
"""How long after its own time limit a process may still take to report."""
MEMORY = "/dev/shm"
"""A folder that is in memory, where the system has one."""
PROCESSES = 2
"""Jobs that run at once, each in a process of its own with one thread."""


def execute(
    module: Module, buffers: Mapping[str, Array], scalars: Mapping[str, float | int] | None = None, *, checked: bool = True
) -> TwinRun:
    """Run all kernels of a module, in order, as a process of its own; see `Job` and `TwinRun`.

    Raises ShapeError for buffers that do not fit the module, ToolchainError without a C++ compiler.
    """
    return execute_many([Job(module, buffers, scalars or {}, checked)])[0]


def execute_many(jobs: Sequence[Job]) -> list[TwinRun]:
    """Run many jobs; those that need compiling are compiled in as few compiler runs as sensible."""
    refused = [tuple(launch_limits(job.module, capability_of(job))) for job in jobs]
    orders = [order(kind_of(job.module.backend), job.module, job.checked) for job in jobs]
    built = build_modules([item for item, findings in zip(orders, refused, strict=True) if not findings])

    def run(job: Job, item: Order, findings: tuple[Finding, ...]) -> TwinRun:
        return failed(job, findings, "") if findings else run_job(job, item, built[item.key])

    with ThreadPoolExecutor(PROCESSES) as pool:
        return list(pool.map(run, jobs, orders, refused))


def capability_of(job: Job) -> Capability:
    """The machine's limits: the job's own, else those of the module's backend."""
    if job.capability is not None:
        return job.capability
    from uol.backends import registry

    return registry.get(job.module.backend).capability


def run_job(job: Job, item: Order, built: Built | Finding) -> TwinRun:
    """Run one job in its executable; one that does not start (a damaged file of the cache) is built anew once."""
    if isinstance(built, Finding):
        return failed(job, (built,), "")
    try:
        return run_executable(job, built)
    except NotStarted:
        cache.forget(item.key, built)
    again = build_modules([item])[item.key]
    return failed(job, (again,), "") if isinstance(again, Finding) else run_executable(job, again)


class NotStarted(Exception):
    """The system refuses to run an executable."""


def run_executable(job: Job, built: Built) -> TwinRun:
    with tempfile.TemporaryDirectory(prefix="uol-twin-", dir=memory_folder(job)) as folder:
        try:
            written = write_job(job, built.slot, Path(folder) / "job")
        except OSError as error:
            hint = "set TMPDIR to a folder with more room"
            raise ResourceError(f"the twin's buffers cannot be written to {folder}: {error.strerror}", hint=hint) from error
        report_path = Path(folder) / "report"
        status, log = run_process([str(built.executable), str(written.path), str(report_path)], job.timeout_s + GRACE_S)
        report = read_report(report_path, job, built)
        if report is None:
            return failed(job, (death(status),), log)
        limits = scratch_limits(job.module, capability_of(job), report.sizes)
        buffers = kind_of(job.module.backend).double_buffers(job.module.device.text) if job.checked else ()
        reuses = reuses_of(job.module, buffers, report.refills)
        return TwinRun(written.outputs(), (*limits, *report.findings), report.counts, log, reuses)


def memory_folder(job: Job) -> str | None:
    """Job files go to memory where there is ample room, else to the usual place."""
    needed = sum(place(arg, job.scalars).bytes for arg in job.module.graph.args)
    try:
        free = shutil.disk_usage(MEMORY).free
    except OSError:
        return None
    return MEMORY if free > 4 * needed + 2**24 else None


def run_process(command: list[str], timeout_s: float) -> tuple[int | None, str]:
    """Exit status (None: it had to be killed) and output of a process."""
    try:
        result = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=timeout_s, check=False
        )
    except OSError as error:
        raise NotStarted from error
    except subprocess.TimeoutExpired as expired:
        return None, (expired.stdout or b"").decode(errors="replace")
    return result.returncode, result.stdout.decode(errors="replace")


def death(status: int | None) -> Finding:
    """The finding of a process that could not even report."""
    if status is None:
        return Finding("timeout", "the process did not end", "", 0)
    how = f"signal {signal.Signals(-status).name}" if status < 0 else f"exit status {status}"
    return Finding("crash", f"the process died without a report ({how})", "", 0)


def failed(job: Job, findings: tuple[Finding, ...], log: str) -> TwinRun:
    """A run without results: they stay what a fresh buffer holds, all bits set."""
    outputs: dict[str, Array] = {}
    for arg in job.module.graph.args:
        if arg.role == "out":
            placed = place(arg, job.scalars)
            dtype = element_type(placed.dtype)
            count = int(np.prod(placed.shape, dtype=np.int64))
            outputs[arg.name] = np.full(count * dtype.itemsize, 0xFF, np.uint8).view(dtype).reshape(placed.shape)
    return TwinRun(outputs, findings, {}, log)
