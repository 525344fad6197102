"""Run modules in the twin: `execute` one, `execute_many` at once."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np

from uol.backends.toolchain.running import run_to_end
from uol.backends.twin import cache, folders
from uol.backends.twin.arrays import element_type, place
from uol.backends.twin.build import Order, build_modules, order
from uol.backends.twin.cache import Built
from uol.backends.twin.job_file import write_job
from uol.backends.twin.kind import kind_of
from uol.backends.twin.limits import launch_limits, linkage, scratch_limits
from uol.backends.twin.locals import ALL, NONE, Local, open_locals
from uol.backends.twin.machine import Budget, free_memory_bytes, processors
from uol.backends.twin.record import Array, Finding, Job, TwinRun
from uol.backends.twin.report import read_report
from uol.backends.twin.reuse import reuses_of
from uol.backends.twin.room import ensure_room, needed_bytes
from uol.codegen.backend import Capability, Module
from uol.ir.errors import ResourceError

GRACE_S = 10.0
"""How long after its own time limit a process may still take to report."""
SLOWEST = 50
"""How many times its processor time a process may take: a machine may be busy with other things."""


def execute(
    module: Module, buffers: Mapping[str, Array], scalars: Mapping[str, float | int] | None = None, *, checked: bool = True
) -> TwinRun:
    """Run all kernels of a module, in order, as a process of its own; see `Job` and `TwinRun`.

    Raises ShapeError for buffers that do not fit the module, ResourceError for a run that the machine has no room for,
    ToolchainError without a C++ compiler.
    """
    return execute_many([Job(module, buffers, scalars or {}, checked)])[0]


def execute_many(jobs: Sequence[Job]) -> list[TwinRun]:
    """Run many jobs; those that need compiling are compiled in as few compiler runs as sensible. As many run at once as there
    are processors and memory for."""
    folders.sweep()
    for job in jobs:
        ensure_room(job.module, job.scalars, checked=job.checked)
    refused = [(*launch_limits(job.module, capability_of(job), job.scalars), *linkage(job.module)) for job in jobs]
    orders = [order(kind_of(job.module.backend), job.module, job.checked, job.counted) for job in jobs]
    built = build_modules([item for item, findings in zip(orders, refused, strict=True) if not findings])
    memory = Budget(free_memory_bytes() or 2**62)

    def run(job: Job, item: Order, findings: tuple[Finding, ...]) -> TwinRun:
        if findings:
            return failed(job, findings, "")
        with memory.of(needed_bytes(job.module, job.scalars, checked=job.checked)):
            return run_job(job, item, built[item.key])

    with ThreadPoolExecutor(processors()) as pool:
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
        return run_all(job, built)
    except NotStarted:
        cache.forget(item.key, built)
    again = build_modules([item])[item.key]
    return failed(job, (again,), "") if isinstance(again, Finding) else run_all(job, again)


class NotStarted(Exception):
    """The system refuses to run an executable."""


def run_all(job: Job, built: Built) -> TwinRun:
    """A run, and where the text leaves local variables open, a second one with other garbage in them. Where the two differ, a
    finding for each variable that makes the difference."""
    variables = open_locals(job.module.device.text) if job.checked else ()
    run = run_executable(job, built, ALL)
    if not variables:
        return run
    other = run_executable(job, built, NONE)
    run = replace(run, seconds=run.seconds + other.seconds)
    if difference(run, other) is None:
        return run
    found = [(v, difference(run_executable(job, built, number), other)) for number, v in enumerate(variables)]
    guilty = [(v, d) for v, d in found if d is not None] or [(v, "the results differ") for v in variables]
    return replace(run, findings=(*run.findings, *(uninitialised(job, v, d) for v, d in guilty)))


def difference(run: TwinRun, other: TwinRun) -> str | None:
    """How two runs differ in their results or findings; None where they do not."""
    for name, result in run.outputs.items():
        if not result.size:
            continue
        before, after = (np.ascontiguousarray(r.outputs[name]).reshape(-1) for r in (other, run))
        bytes_of = [a.view(np.uint8).reshape(a.size, -1) for a in (before, after)]
        changed = np.flatnonzero((bytes_of[0] != bytes_of[1]).any(axis=1))
        if changed.size:
            first = changed[0]
            return f"element {first} of `{name}` is {after[first]}, not {before[first]}"
    seen, known = ({(f.kind, f.line) for f in r.findings} for r in (run, other))
    return None if seen == known else "there are other findings: " + ", ".join(sorted({kind for kind, _ in seen ^ known}))


def uninitialised(job: Job, variable: Local, what: str) -> Finding:
    """The finding of a local variable that is used before it has a value."""
    kernel = next((k.name for k in job.module.kernels if k.name == variable.function), "")
    message = f"`{variable.name}` is used before it has a value: with other bytes in it, {what}"
    return Finding("uninitialised-local", message, kernel, variable.line)


def run_executable(job: Job, built: Built, poisoned: int) -> TwinRun:
    """One process. `poisoned`: see `locals.py`."""
    size = sum(place(arg, job.scalars).bytes for arg in job.module.graph.args)
    with folders.run_folder(size) as folder:
        try:
            written = write_job(job, built.slot, folder / "job", poisoned)
        except OSError as error:
            message = f"the twin's {size} bytes of buffers cannot be written to {folder}: {error.strerror}"
            raise ResourceError(message, hint=folders.HINT) from error
        report_path = folder / "report"
        command = [str(built.executable), str(written.path), str(report_path)]
        started = time.perf_counter()
        status, log = run_process(command, SLOWEST * job.timeout_s + GRACE_S)
        seconds = time.perf_counter() - started
        report = read_report(report_path, job, built)
        if report is None:
            return failed(job, (death(status, log),), log)
        limits = scratch_limits(job.module, capability_of(job), report.sizes)
        buffers = kind_of(job.module.backend).double_buffers(job.module.device.text) if job.checked else ()
        reuses = reuses_of(job.module, buffers, report.refills)
        counts = named_counts(report.counts, job)
        return TwinRun(written.outputs(), (*limits, *report.findings), counts, log, reuses, seconds)


STATEMENTS = "statements "
"""What the name of a count of statements begins with; the unit's name follows."""


def named_counts(counts: Mapping[str, int], job: Job) -> dict[str, int]:
    """The counts of a report; statements by the names of their units, of which the process knows the places."""
    units = kind_of(job.module.backend).marks(job.module).units if job.counted else ()
    named = {f"{STATEMENTS}{place}": f"{STATEMENTS}{unit}" for place, unit in enumerate(units)}
    return {named.get(name, name): n for name, n in counts.items() if name in named or not name.startswith(STATEMENTS)}


def run_process(command: list[str], timeout_s: float) -> tuple[int | None, str]:
    """Exit status (None: it had to be killed) and output of a process."""
    try:
        result = run_to_end(command, timeout_s=timeout_s, stdin=subprocess.DEVNULL, stderr=subprocess.STDOUT)
    except OSError as error:
        raise NotStarted from error
    except subprocess.TimeoutExpired as expired:
        return None, (expired.stdout or b"").decode(errors="replace")
    return result.returncode, result.stdout


def death(status: int | None, log: str) -> Finding:
    """The finding of a process that could not even report."""
    if status is None:
        return Finding("timeout", "the process did not end", "", 0)
    how = f"signal {signal.Signals(-status).name}" if status < 0 else f"exit status {status}"
    if status == -signal.SIGKILL:
        how += ": something else ended it, as a rule the system, when it ran out of memory"
    said = f": {log.strip().splitlines()[-1]}" if log.strip() else ""
    return Finding("crash", f"the process died without a report ({how}){said}", "", 0)


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
