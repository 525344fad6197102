"""Cases checked by several processes. What one of them dies of (a kernel that breaks memory) is a verdict on the case that
it ran, and the others go on."""

from __future__ import annotations

import signal
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess

from uol.conformance.cases.agreement import Agreement, Run, Subject, agreements
from uol.conformance.cases.twin_check import BATCH, Examined, examine
from uol.conformance.cases.verdict import Case, Verdict
from uol.operators.sources import OperatorSources

Group = tuple[Case, ...]
Work = tuple[tuple[int, Group], ...]
"""Groups that are compiled together, each with its number."""


@dataclass(frozen=True, slots=True)
class Found:
    """The verdicts of a group's cases, and how its targets agree."""

    number: int
    verdicts: tuple[Verdict, ...]
    agreements: tuple[Agreement, ...] = ()


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a run found: verdicts in the order of the cases."""

    verdicts: tuple[Verdict, ...]
    agreements: tuple[Agreement, ...]


def gather(
    groups: Sequence[Group], sources: OperatorSources, jobs: int, progress: Callable[[Sequence[Verdict]], None]
) -> Evidence:
    """Checks groups of cases that differ in their target alone, in up to `jobs` processes, which learn a user's operators
    from `sources`; in this one where one is enough. `progress` gets the verdicts as they come."""
    works = deque(_together(groups))
    found: dict[int, list[Found]] = {}
    for each in map(check_group, works) if min(jobs, len(works)) == 1 else _in_processes(works, sources, jobs):
        for part in each:
            found.setdefault(part.number, []).append(part)
        progress([v for part in each for v in part.verdicts])
    verdicts: list[Verdict] = []
    for number, group in enumerate(groups):
        known = {v.case.target: v for part in found[number] for v in part.verdicts}
        verdicts += (known[case.target] for case in group)
    return Evidence(tuple(verdicts), tuple(a for number in sorted(found) for part in found[number] for a in part.agreements))


def check_group(work: Work) -> list[Found]:
    """The findings of groups whose kernels are compiled together."""
    examined = iter(examine([case for _, group in work for case in group]))
    found = []
    for number, group in work:
        own = [next(examined) for _ in group]
        found.append(Found(number, tuple(e.verdict for e in own), tuple(_agreements(own))))
    return found


def _agreements(group: Sequence[Examined]) -> Iterator[Agreement]:
    """Of the targets that gave results; a crash or a finding leaves none that are worth a comparison."""
    ran = [e for e in group if e.verdict.status in ("pass", "breach")]
    first = next(iter(ran), None)
    if first is None or first.prepared is None or first.truth is None:
        return
    case = first.verdict.case
    subject = Subject(case.op, case.dtype, case.setting)
    admitted = first.truth.admitted(first.prepared)
    for tensor in first.prepared.program.by_role("out"):
        runs = [Run(e.verdict.case.target, e.outcome.outputs[tensor.name]) for e in ran if e.outcome is not None]
        yield from agreements(subject, admitted.results[tensor.name].value, tensor.dtype, runs)


def _together(groups: Sequence[Group]) -> Iterator[Work]:
    """Whole groups, as many as a twin's compiler takes at once."""
    pending: list[tuple[int, Group]] = []
    for number, group in enumerate(groups):
        if pending and sum(len(g) for _, g in pending) + len(group) > BATCH:
            yield tuple(pending)
            pending = []
        pending.append((number, group))
    if pending:
        yield tuple(pending)


@dataclass(slots=True)
class _Worker:
    process: SpawnProcess
    connection: Connection
    work: Work

    @staticmethod
    def start(sources: OperatorSources, work: Work) -> _Worker:
        context = get_context("spawn")  # a fork would copy the locks of LLVM's and PyTorch's threads
        ours, theirs = context.Pipe()
        process = context.Process(target=_serve, args=(theirs, sources), daemon=True)
        process.start()
        theirs.close()
        ours.send(work)
        return _Worker(process, ours, work)

    def end(self) -> None:
        self.connection.close()
        self.process.terminate()
        self.process.join()


def _serve(connection: Connection, sources: OperatorSources) -> None:
    """A worker's life: work comes, findings go, until the other side closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal's, which the parent answers
    try:
        sources.load()
        while True:
            work = connection.recv()
            connection.send(check_group(work))
    except EOFError:
        return
    except Exception as error:  # noqa: BLE001 - it is raised where the command can say it
        connection.send(error)


def _in_processes(works: deque[Work], sources: OperatorSources, jobs: int) -> Iterator[list[Found]]:
    busy: dict[Connection, _Worker] = {}
    try:
        while works or busy:
            while works and len(busy) < jobs:
                worker = _Worker.start(sources, works.popleft())
                busy[worker.connection] = worker
            for ready in wait(list(busy)):
                worker = busy[ready]  # type: ignore[index]  # `wait` gives what it was given
                result = _received(worker)
                if isinstance(result, Exception):
                    raise result
                if result is not None:
                    yield result
                if result is not None and works:
                    worker.work = works.popleft()
                    worker.connection.send(worker.work)
                    continue
                del busy[worker.connection]
                worker.end()
                if result is None:
                    yield from _after_death(worker, works)
    finally:
        for worker in busy.values():
            worker.end()


def _received(worker: _Worker) -> list[Found] | Exception | None:
    """What a worker sends; None where it died."""
    try:
        result: list[Found] | Exception = worker.connection.recv()
    except (EOFError, ConnectionError):
        worker.process.join()
        return None
    return result


def _after_death(worker: _Worker, works: deque[Work]) -> Iterator[list[Found]]:
    """The work of a process that died is done in smaller parts, until the case is alone that it died of."""
    if len(worker.work) > 1:
        works.extendleft((part,) for part in worker.work)
        return
    ((number, group),) = worker.work
    if len(group) > 1:
        works.extendleft(((number, (case,)),) for case in group)
        return
    code = worker.process.exitcode or 0
    how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit status {code}"
    yield [Found(number, (Verdict(group[0], "failed", f"the process that ran it died ({how})"),))]
