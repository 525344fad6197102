"""Do kernels move and issue what the cost model says? `python -m uol.conformance.counts` runs every operator and every gradient
at its representative workload in the twins, counted, and holds the counts against what the backends predict; or every distinct
kernel of the training steps of model paths, with the path's channels.

    python -m uol.conformance.counts [--target cuda,hip] [--dtype f32,f16] [--op ...] [--forward] [--any-size]
    python -m uol.conformance.counts --path moe,cmap,resnet50 [--size narrow]

A predicted count is a number, or an interval where data decides or a sample of a large grid was read: the observed one is that
number, or lies in it. Prints what does not, and how many counts of each kind are exact. Exit status 1 where one disagrees, 2
for bad input.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import product
from multiprocessing import get_context
from typing import get_args

from uol.backends import registry
from uol.backends.cache.records import Records
from uol.backends.cpu.host import usable_cores
from uol.backends.twin import Job, execute_many, kind_of
from uol.compilation.request import resolve_target
from uol.conformance.cases.case_matrix import types_of
from uol.conformance.cases.contents import content_of_case
from uol.conformance.cases.counted import Count, compare
from uol.conformance.cases.open_sizes import Sizes
from uol.conformance.cases.selection import differentiable
from uol.conformance.cases.twin_check import Prepared, has_twin, prepare
from uol.conformance.cases.verdict import Case
from uol.conformance.command import run_command
from uol.conformance.paths import drawn
from uol.conformance.paths.draw import Size
from uol.conformance.paths.kernels import prepare as prepare_call
from uol.conformance.paths.step_checks import kernels_of
from uol.conformance.runs.steps import Steps, add_run_options, results_of
from uol.ir.errors import RefusalError
from uol.ops.texts import names
from uol.ops.workloads import workloads_of

Found = list[tuple[str, tuple[Count, ...]]]
"""The counts of every case, by its name."""

TOGETHER = 16
"""Operators, or calls of a step, whose kernels are compiled together."""


def counts_of(ops: Sequence[str], targets: Sequence[str], dtypes: Sequence[str], sizes: Sizes = "fixed") -> Found:
    """The counts of some operators. A case that its target refuses has none."""
    return _counted((str(case), partial(prepare, case)) for case in _cases(ops, targets, dtypes, sizes))


def counts_of_path(path: str, target: str, dtype: str, size: Size = "kernels") -> Found:
    """The counts of the kernels of a training step."""
    found: Found = []
    machine, calls = resolve_target(target), kernels_of(drawn(path), dtype, size)
    for start in range(0, len(calls), TOGETHER):
        found += _counted(
            (f"{path} {dtype} {call.places[0]}, {call.call.op} on {target}", partial(prepare_call, call, machine))
            for call in calls[start : start + TOGETHER]
        )
    return found


def _counted(cases: Iterable[tuple[str, Callable[[], Prepared]]]) -> Found:
    """Prepared by name, run together. What its target refuses is left out."""
    ready: dict[str, Prepared] = {}
    for name, prepared in cases:
        with suppress(RefusalError):
            ready[name] = prepared()
    jobs = [Job(p.compiled.module, p.buffers, p.scalars, counted=True, most_blocks=None) for p in ready.values()]
    runs = zip(ready.items(), execute_many(jobs), strict=True)
    return [(name, compare(p.compiled.module, run, p.sizes)) for (name, p), run in runs]


def _cases(ops: Sequence[str], targets: Sequence[str], dtypes: Sequence[str], sizes: Sizes) -> Iterator[Case]:
    for op in ops:
        workload = workloads_of(op)[0]
        pairs = product(targets, types_of(op, tuple(dtypes)))
        yield from (Case(op, target, dtype, workload, sizes=sizes) for target, dtype in pairs)


def is_counted(target: str) -> bool:
    """Does the target have a twin whose counts can be held against what its backend says?"""
    return has_twin(target) and bool(kind_of(target).observed({}))


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m uol.conformance.counts", description=__doc__)
    parser.add_argument("--target", default=",".join(filter(is_counted, registry.names())), help="targets, by commas")
    parser.add_argument("--dtype", default="f32,f16", help="types, by commas")
    parser.add_argument("--op", default=",".join(names()), help="operators, by commas")
    parser.add_argument("--forward", action="store_true", help="no gradients")
    parser.add_argument("--any-size", action="store_true", help="of kernels that take dims as arguments")
    parser.add_argument("--path", default="", help="model paths in place of operators: moe,cmap,resnet50")
    parser.add_argument("--size", default="kernels", choices=get_args(Size), help="of the step of a path")
    parser.add_argument("--processes", type=int, default=usable_cores())
    add_run_options(parser)
    options = parser.parse_args(arguments)
    with ProcessPoolExecutor(options.processes, get_context("spawn")) as pool:
        items = [*_items(options)]
        return report(case for part in results_of(STEPS, items, options, pool) for case in part.cases)


@dataclass(frozen=True, slots=True)
class Counted:
    """The counts of a case, or of the calls of a step, by their names; of what its target refuses there are none."""

    cases: tuple[tuple[str, tuple[Count, ...]], ...]


@dataclass(frozen=True, slots=True)
class OfPath:
    """The kernels of a training step."""

    path: str
    target: str
    dtype: str
    size: Size


def counted(items: Sequence[Case | OfPath]) -> list[Counted]:
    """The counts of cases whose kernels are compiled together, and of steps one by one."""
    found = dict(_counted((str(item), partial(prepare, item)) for item in items if isinstance(item, Case)))
    return [
        Counted(tuple((name, found[name]) for name in [str(item)] if name in found))
        if isinstance(item, Case)
        else Counted(tuple(counts_of_path(item.path, item.target, item.dtype, item.size)))
        for item in items
    ]


def content_of(item: Case | OfPath) -> str:
    """Hash of what is counted; of a step nobody says."""
    return content_of_case(item) if isinstance(item, Case) else ""


JUDGE = ("uol/conformance/counts.py", "uol/backends/", "uol/codegen/")
"""What predicts counts, besides."""
STEPS: Steps[Case | OfPath, Counted] = Steps("counts", Records(Counted), repr, counted, content_of, JUDGE, together=48)


def _items(options: argparse.Namespace) -> Iterator[Case | OfPath]:
    targets, dtypes = options.target.split(","), options.dtype.split(",")
    if options.path:
        for path, dtype, target in product(options.path.split(","), dtypes, targets):
            yield OfPath(path, target, dtype, options.size)
        return
    forward = options.op.split(",")
    ops = [*forward, *(() if options.forward else differentiable(forward))]
    yield from _cases(ops, targets, dtypes, "open" if options.any_size else "fixed")


def report(found: Iterable[tuple[str, tuple[Count, ...]]]) -> int:
    """Prints the counts that disagree as they come, then a line for each kind of count."""
    of_kind: dict[str, Counter[str]] = {}
    cases = 0
    for case, counts in found:
        cases += 1
        for count in counts:
            tally = of_kind.setdefault(count.name, Counter())
            tally["exact" if count.is_exact else "enclosed"] += count.agrees
            tally["wrong"] += not count.agrees
            if not count.agrees:
                print(f"{case}: {count}", flush=True)
    for name, tally in sorted(of_kind.items()):
        print(f"{name}: {tally['exact']} exact, {tally['enclosed']} enclosed, {tally['wrong']} wrong")
    every = sum(of_kind.values(), Counter())
    print(f"{cases} cases: {every['exact']} counts exact, {every['enclosed']} enclosed, {every['wrong']} wrong")
    return 1 if every["wrong"] or not cases else 0


if __name__ == "__main__":
    run_command(main)
