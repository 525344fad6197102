"""The cases of a command beside the rooms: those of a shard, taken over from a journal or run, here or in processes.

    add_run_options(parser)
    for result in results_of(STEPS, items, parser.parse_args(), pool):
        ...
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, as_completed
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Generic, TypeVar

from uol.backends import registry
from uol.backends.cache.records import Records
from uol.conformance.runs.keys import judge_of, machine_of, sources_of_commands
from uol.conformance.runs.resume import Resumed, journal_of
from uol.conformance.runs.shards import read_shard
from uol.ir.errors import UolError

I = TypeVar("I")  # noqa: E741 - an item
R = TypeVar("R")


def of_no_content(item: object) -> str:
    """Of cases of which nothing says what is judged: any change of a source runs them again."""
    return ""


def never(result: object) -> bool:
    """Of results that a rerun would give again."""
    return False


@dataclass(frozen=True, slots=True)
class Steps(Generic[I, R]):
    """The cases of a command.

    of         the command, by its name
    kept       how a result is kept in a journal
    name       of a case; no two have one
    run        gives the results of some cases, in order
    content    hash of what is judged of a case, as `keys.content_of`; empty where that is not known
    judge      files and folders of the package that judge it besides those that judge every case
    again      is a result to be found again whatever has changed: a tool that is missing?
    together   how many cases are run at once
    """

    of: str
    kept: Records[R]
    name: Callable[[I], str]
    run: Callable[[Sequence[I]], Sequence[R]]
    content: Callable[[I], str] = of_no_content
    judge: tuple[str, ...] = ()
    again: Callable[[R], bool] = never
    together: int = 1


def add_run_options(parser: argparse.ArgumentParser) -> None:
    """`--shard` and `--resume`."""
    parser.add_argument("--shard", default="1/1", metavar="I/N", help="the cases of the I-th of N shards alone")
    parser.add_argument("--resume", type=Path, metavar="FILE", help="a journal of finished cases, which are taken over")


def results_of(
    steps: Steps[I, R], items: Iterable[I], options: argparse.Namespace, pool: Executor | None = None
) -> Iterator[R]:
    """The results of the cases of a shard, in order, as they come; then, with a journal, a line that says how many were taken
    over. In processes or threads where there is a pool: then `run` and `content` are functions of a module."""
    shard = read_shard(options.shard)
    named = [(steps.name(item), item) for item in items]
    chosen = {name: item for name, item in named if shard.takes(name)}
    assert len({name for name, _ in named}) == len(named), f"two cases of {steps.of} have one name"
    if not chosen and not shard.is_whole:
        raise UolError(f"no case is in shard {shard}", hint="take fewer shards")
    journal, machine = journal_of(options.resume), ""
    resumed = Resumed(steps.of, steps.kept)
    if journal is not None:
        resumed = Resumed(steps.of, steps.kept, journal, sources_of_commands(), judge_of(*steps.judge))
        machine = machine_of(tuple(registry.names()))
    try:
        known = {name: result for name in chosen if (result := resumed.known(name, machine)) is not None}
        resumed.taken = len(known)
        asked = [(name, item, resumed.content(name)) for name, item in chosen.items() if name not in known]
        yield from _in_order(list(chosen), known, _found(steps, asked, resumed, machine, pool))
        if resumed.said:
            print(resumed.said, flush=True)
    finally:
        resumed.close()


def _in_order(names: Sequence[str], known: dict[str, R], found: Iterator[tuple[str, R]]) -> Iterator[R]:
    """The results in the order of the names, each as soon as those before it are there."""
    for name in names:
        while name not in known:
            came, result = next(found)
            known[came] = result
        yield known.pop(name)


Asked = tuple[str, I, str]
"""A case by its name, and the hash of what was judged, if its result is known for that."""


def _found(
    steps: Steps[I, R], asked: Sequence[Asked[I]], resumed: Resumed[R], machine: str, pool: Executor | None
) -> Iterator[tuple[str, R]]:
    """The results of cases as they come, each put into the journal."""
    batches = [asked[start : start + steps.together] for start in range(0, len(asked), steps.together)]
    has_journal = resumed.journal is not None
    call = partial(_called, steps.run, steps.content if has_journal else of_no_content)
    for batch, answers in _answers(call, batches, pool):
        for (name, _, _), (content, results) in zip(batch, answers, strict=True):
            for result in results:
                resumed.put(name, machine, content, result, steps.again(result))
                resumed.ran += 1
                yield name, result
            if not results:
                resumed.taken += 1
                yield name, resumed.same(name, machine)


Answers = list[tuple[str, list[R]]]
"""Of each case the hash of what is judged, and its result; none where that is as it was known."""


def _answers(
    call: Callable[[Sequence[Asked[I]]], Answers[R]], batches: Sequence[Sequence[Asked[I]]], pool: Executor | None
) -> Iterator[tuple[Sequence[Asked[I]], Answers[R]]]:
    if pool is None:
        for batch in batches:
            yield batch, call(batch)
        return
    futures: dict[Future[Answers[R]], Sequence[Asked[I]]] = {pool.submit(call, batch): batch for batch in batches}
    try:
        for future in as_completed(futures):
            yield futures[future], future.result()
    finally:
        for future in futures:
            future.cancel()


def _called(
    run: Callable[[Sequence[I]], Sequence[R]], content: Callable[[I], str], batch: Sequence[Asked[I]]
) -> Answers[R]:
    contents = [content(item) for _, item, _ in batch]
    changed = [not known or known != now for (_, _, known), now in zip(batch, contents, strict=True)]
    results = iter(run([item for (_, item, _), is_new in zip(batch, changed, strict=True) if is_new]) if any(changed) else ())
    return [(now, [next(results)] if is_new else []) for now, is_new in zip(contents, changed, strict=True)]
