"""Cases checked by several processes. What one of them dies of (a kernel that breaks memory) is a verdict on the case that
it ran, and the others go on."""

from __future__ import annotations

import signal
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from time import perf_counter

from uol.backends.cache.files import Key
from uol.backends.cache.records import Records
from uol.conformance.cases.agreement import Agreement, Run, Subject, agreements
from uol.conformance.cases.contents import content_of_attempt
from uol.conformance.cases.twin_check import BATCH, Examined, Prepared, attempt, examine_prepared
from uol.conformance.cases.verdict import Case, Verdict, group_name
from uol.conformance.runs.journal import Journal
from uol.conformance.runs.keys import judge_of_cases, machine_of, own_sources, sources_of_cases, together
from uol.conformance.runs.resume import Resumed
from uol.operators.sources import OperatorSources

Group = tuple[Case, ...]


@dataclass(frozen=True, slots=True)
class Task:
    """A group with its number. `known`: the hash of what was judged when its verdicts were found, if they are known."""

    number: int
    group: Group
    known: str = ""


Work = tuple[Task, ...]
"""Groups that are compiled together."""


@dataclass(frozen=True, slots=True)
class Found:
    """The verdicts of a group's cases, and how its targets agree."""

    verdicts: tuple[Verdict, ...]
    agreements: tuple[Agreement, ...] = ()


FOUND = Records(Found)


@dataclass(frozen=True, slots=True)
class Answer:
    """What was found of a group, or nothing where what is judged is as it was known. `content`: the hash of that; empty where
    a process died of it."""

    task: Task
    content: str
    found: Found | None


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a run found: verdicts in the order of the cases. `said`: how much of it stands in a journal; empty without one."""

    verdicts: tuple[Verdict, ...]
    agreements: tuple[Agreement, ...]
    said: str = ""


def gather(
    groups: Sequence[Group],
    sources: OperatorSources,
    jobs: int,
    progress: Callable[[Sequence[Verdict]], None],
    journal: Journal | None = None,
) -> Evidence:
    """Checks groups of cases that differ in their target alone, in up to `jobs` processes, which learn a user's operators
    from `sources`; in this one where one is enough. `progress` gets the verdicts as they come.

    What the journal has is taken over where nothing has changed, but for failures: a case that failed is run again. It gets
    what is found.
    """
    resumed = resumed_by(journal, sources)
    found: dict[int, list[Found]] = {}
    tasks: list[Task] = []
    for number, group in enumerate(groups):
        known = _taken_over(resumed, group)
        if known is not None:
            found[number] = [known]
            progress(known.verdicts)
        else:
            tasks.append(Task(number, group, resumed.content(group_name(group))))
    works = deque(_together(tasks))
    for answers in map(check_group, works) if min(jobs, len(works)) == 1 else _in_processes(works, sources, jobs):
        parts = [(answer.task.number, _kept(resumed, answer)) for answer in answers]
        for number, part in parts:
            found.setdefault(number, []).append(part)
        progress([v for _, part in parts for v in part.verdicts])
    return replace(in_order(groups, found), said=resumed.said)


def resumed_by(journal: Journal | None, sources: OperatorSources) -> Resumed[Found]:
    """What a journal has of cases, by what they depend on."""
    if journal is None:
        return Resumed("conform", FOUND)
    return Resumed("conform", FOUND, journal, sources_of(sources), judge_of_cases(sources))


def sources_of(sources: OperatorSources) -> str:
    """Hash of every source that a verdict may depend on, a user's included."""
    return Key({"sources": sources_of_cases(), "own": own_sources(sources)}).digest


def _taken_over(resumed: Resumed[Found], group: Group) -> Found | None:
    """What is known of a group without making its texts."""
    if resumed.journal is None:
        return None
    known = resumed.known(group_name(group), _machine(group))
    resumed.taken += len(group) if known is not None else 0
    return known


def _kept(resumed: Resumed[Found], answer: Answer) -> Found:
    """What was found of a group, put into the journal; or what the journal has, where nothing has changed."""
    group = answer.task.group
    if answer.found is None:
        resumed.taken += len(group)
        return resumed.same(group_name(group), _machine(group))
    resumed.ran += len(group)
    if resumed.journal is not None:
        has_failed = any(v.state == "failed" for v in answer.found.verdicts)
        resumed.put(group_name(group), _machine(group), answer.content, answer.found, has_failed)
    return answer.found


def _machine(group: Group) -> str:
    return machine_of(tuple(case.target for case in group))


def in_order(groups: Sequence[Group], found: Mapping[int, Sequence[Found]]) -> Evidence:
    """What was found of groups by their numbers, some of them in parts."""
    verdicts: list[Verdict] = []
    for number, group in enumerate(groups):
        known = {v.case.target: v for part in found[number] for v in part.verdicts}
        verdicts += (known[case.target] for case in group)
    return Evidence(tuple(verdicts), tuple(a for number in sorted(found) for part in found[number] for a in part.agreements))


def check_group(work: Work) -> list[Answer]:
    """The findings of groups whose kernels are compiled together, each case with its share of the time."""
    attempts = [(task, [_timed(case) for case in task.group]) for task in work]
    contents = {task.number: together([content_of_attempt(each) for each, _ in tried]) for task, tried in attempts}
    changed = [(task, tried) for task, tried in attempts if not task.known or contents[task.number] != task.known]
    started = perf_counter()
    examined = examine_prepared([each for _, tried in changed for each, _ in tried])
    own = sum(e.verdict.took_s for e in examined)
    share = max(perf_counter() - started - own, 0.0) / max(len(examined), 1)
    rest = iter(examined)
    found: dict[int, Found] = {}
    for task, tried in changed:
        group = [next(rest) for _ in tried]
        times = [seconds + share for _, seconds in tried]
        verdicts = (replace(e.verdict, took_s=e.verdict.took_s + s) for e, s in zip(group, times, strict=True))
        found[task.number] = Found(tuple(verdicts), tuple(_agreements(group)))
    return [Answer(task, contents[task.number], found.get(task.number)) for task in work]


def _timed(case: Case) -> tuple[Prepared | Verdict, float]:
    """A case made ready, and the seconds of that."""
    started = perf_counter()
    return attempt(case), perf_counter() - started


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


def _together(tasks: Sequence[Task]) -> Iterator[Work]:
    """Whole groups, as many as a twin's compiler takes at once."""
    pending: list[Task] = []
    for task in tasks:
        if pending and sum(len(each.group) for each in pending) + len(task.group) > BATCH:
            yield tuple(pending)
            pending = []
        pending.append(task)
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


def _in_processes(works: deque[Work], sources: OperatorSources, jobs: int) -> Iterator[list[Answer]]:
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


def _received(worker: _Worker) -> list[Answer] | Exception | None:
    """What a worker sends; None where it died."""
    try:
        result: list[Answer] | Exception = worker.connection.recv()
    except (EOFError, ConnectionError):
        worker.process.join()
        return None
    return result


def _after_death(worker: _Worker, works: deque[Work]) -> Iterator[list[Answer]]:
    """The work of a process that died is done in smaller parts, until the case is alone that it died of."""
    if len(worker.work) > 1:
        works.extendleft((part,) for part in worker.work)
        return
    (task,) = worker.work
    if len(task.group) > 1:
        works.extendleft((Task(task.number, (case,)),) for case in task.group)
        return
    code = worker.process.exitcode or 0
    how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit status {code}"
    yield [Answer(task, "", Found((Verdict(task.group[0], "failed", f"the process that ran it died ({how})"),)))]
