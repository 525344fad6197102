"""Do kernels move and issue what the cost model says? `python -m uol.conformance.counts` runs every operator and every gradient
at its representative workload in the twins, counted, and holds the counts against what the backends predict.

    python -m uol.conformance.counts [--target cuda,hip] [--dtype f32,f16] [--op ...] [--forward]

A predicted count is a number, or an interval where data decides or a sample of a large grid was read: the observed one is that
number, or lies in it. Prints what does not, and how many counts of each kind are exact. Exit status 1 where one disagrees.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context

from uol.backends import registry
from uol.backends.cpu.host import usable_cores
from uol.backends.twin import Job, execute_many, kind_of
from uol.conformance.cases.case_matrix import types_of
from uol.conformance.cases.counted import Count, compare
from uol.conformance.cases.selection import differentiable
from uol.conformance.cases.twin_check import Prepared, has_twin, prepare
from uol.conformance.cases.verdict import Case
from uol.conformance.command import run_command
from uol.ir.errors import RefusalError
from uol.ops.texts import names
from uol.ops.workloads import workloads_of

Found = list[tuple[str, tuple[Count, ...]]]
"""The counts of every case, by its name."""

TOGETHER = 16
"""Operators whose kernels are compiled together."""


def counts_of(ops: Sequence[str], targets: Sequence[str], dtypes: Sequence[str]) -> Found:
    """The counts of some operators. A case that its target refuses has none."""
    ready = [p for p in map(_prepared, _cases(ops, targets, dtypes)) if p is not None]
    runs = execute_many([Job(p.compiled.module, p.buffers, p.scalars, counted=True, most_blocks=None) for p in ready])
    return [(str(p.case), compare(p.compiled.module, run)) for p, run in zip(ready, runs, strict=True)]


def _cases(ops: Sequence[str], targets: Sequence[str], dtypes: Sequence[str]) -> Iterator[Case]:
    for op in ops:
        workload = workloads_of(op)[0]
        yield from (Case(op, target, dtype, workload) for target in targets for dtype in types_of(op, tuple(dtypes)))


def _prepared(case: Case) -> Prepared | None:
    try:
        return prepare(case)
    except RefusalError:
        return None


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
    parser.add_argument("--processes", type=int, default=usable_cores())
    options = parser.parse_args(arguments)
    forward = options.op.split(",")
    ops = [*forward, *(() if options.forward else differentiable(forward))]
    parts = [ops[start : start + TOGETHER] for start in range(0, len(ops), TOGETHER)]
    each = partial(counts_of, targets=options.target.split(","), dtypes=options.dtype.split(","))
    with ProcessPoolExecutor(options.processes, get_context("spawn")) as pool:
        return report(case for part in pool.map(each, parts) for case in part)


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
    wrong = sum(tally["wrong"] for tally in of_kind.values())
    print(f"{cases} cases, {wrong} counts that disagree")
    return 1 if wrong or not cases else 0


if __name__ == "__main__":
    run_command(main)
