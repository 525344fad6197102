"""Texts in several processes. What one of them dies of is a run that failed, and the others go on."""

from __future__ import annotations

import warnings
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from math import inf
from multiprocessing import get_context
from time import perf_counter

import torch

from uol.conformance.random_kernels.batches import run_texts
from uol.conformance.random_kernels.judging import Run
from uol.conformance.random_kernels.trials import Where, admitted_text
from uol.conformance.random_texts.kernel_texts import KernelText

TOGETHER = 8
"""Texts whose kernels are compiled together: some 80 kernels for the twins, in six runs of a compiler."""
PER_PROCESS = 8
"""Batches of a process, about, before another takes its place: what compilers and kernels leave behind goes with it."""

Batch = tuple[int, ...]
Found = list[tuple[KernelText, list[Run]]]


def run_batch(numbers: Batch, where: Where) -> Found:
    """The texts of these numbers with their runs."""
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore", category=RuntimeWarning)  # of infinities in numpy's arithmetic, which are data here
    drawn = [admitted_text(number) for number in numbers]
    runs = [Run(text.number, text.kind, "checker", 0, "raised", crash) for text, crash in drawn if crash]
    runs += run_texts([text for text, crash in drawn if not crash], where)
    return [(text, [r for r in runs if r.number == text.number]) for text, _ in drawn]


def run_numbers(numbers: Sequence[int], where: Where, jobs: int, until: float = inf) -> Iterator[Found]:
    """All numbers, a batch at a time, as they are done; no batch is begun after `until`, a value of `perf_counter`."""
    pending = deque(tuple(numbers[start : start + TOGETHER]) for start in range(0, len(numbers), TOGETHER))
    if jobs == 1:
        yield from (run_batch(batch, where) for batch in pending if perf_counter() < until)
        return
    while pending and perf_counter() < until:
        suspects: list[Batch] = []
        # in the place of `max_tasks_per_child`, with which a pool of Python 3.11 goes on with one process less (gh-115634)
        round_ = deque(pending.popleft() for _ in range(min(len(pending), jobs * PER_PROCESS)))
        with ProcessPoolExecutor(jobs, get_context("spawn")) as pool:
            yield from _until_one_dies(pool, round_, suspects, where, jobs, until)
        pending.extendleft(reversed(round_))
        for batch in suspects:
            yield _alone(batch, where)


def _until_one_dies(
    pool: ProcessPoolExecutor, pending: deque[Batch], suspects: list[Batch], where: Where, jobs: int, until: float
) -> Iterator[Found]:
    """As many batches in flight as there are processes, so that no other is lost with them; those become `suspects`."""
    flying: dict[Future[Found], Batch] = {}
    while not suspects:
        while pending and len(flying) < jobs and perf_counter() < until:
            batch = pending.popleft()
            flying[pool.submit(run_batch, batch, where)] = batch
        if not flying:
            return
        done, _ = wait(flying, return_when=FIRST_COMPLETED)
        for future in done:
            batch = flying.pop(future)
            try:
                yield future.result()
            except BrokenProcessPool:
                suspects.append(batch)
    suspects += flying.values()


def _alone(batch: Batch, where: Where) -> Found:
    """In a process of its own; where that dies, text by text, and setting by setting."""
    try:
        with ProcessPoolExecutor(1, get_context("spawn")) as pool:
            return pool.submit(run_batch, batch, where).result()
    except BrokenProcessPool:
        if len(batch) > 1:
            return [found for number in batch for found in _alone((number,), where)]
    (number,) = batch
    text, _ = admitted_text(number)
    settings = where.of(number)
    if len(settings) == 1:
        return [(text, [Run(number, text.kind, str(settings[0]), 0, "raised", "the process that ran it died")])]
    return [(text, [run for each in settings for _, runs in _alone(batch, Where((each,))) for run in runs])]
