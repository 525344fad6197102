"""What it costs that dims are arguments, on machines with threads: `python -m uol.conformance.any_size_counts`.

    python -m uol.conformance.any_size_counts [--target TARGETS] [--dtype f32,f16] [--op softmax,matmul] [--all]

One dim after another of the operators of traffic.toml, and of `any_size`, is left open; its one kernel, at ten sizes of the
dim, is held against the kernels that are made for each of them, by the counts that are read from their texts: sectors that are
moved, and statements that are executed. Prints what moves or executes more than 1.2 times as much (all with --all), and how
often was compiled; exit status 1 where anything does, 2 for bad input. *modelled*: nothing runs.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context

from uol.backends import registry
from uol.backends.cache.records import Records
from uol.backends.cpu.host import usable_cores
from uol.codegen.cost import middle
from uol.codegen.work import Issued
from uol.compilation.pipeline import module_of
from uol.compilation.recompile import KernelsOfAnySize
from uol.compilation.request import Request
from uol.conformance import any_size, traffic
from uol.conformance.cases.case_matrix import types_of
from uol.conformance.cases.counted import issued_of
from uol.conformance.cases.reasons import printed
from uol.conformance.cases.requests import request_of
from uol.conformance.cases.verdict import Case
from uol.conformance.command import run_command
from uol.conformance.runs.steps import Steps, add_run_options, results_of
from uol.ir.errors import ShapeError, UolError
from uol.ops.workloads import Workload

PARTS = (0.25, 0.3, 0.5, 0.7, 1.0, 1.1, 1.25, 1.5, 2.0, 3.0)
"""Ten sizes of a dim, in parts of what it is in the list."""
MOST = 1.2
TARGETS = [t for t in traffic.TARGETS if registry.get(t).capability.symbolic_dims]


@dataclass(frozen=True, slots=True)
class Cost:
    """Of a kernel with one dim open: at how many sizes, how often was compiled, the most sectors and statements in parts of
    those of kernels made for a size, and at which size these are most."""

    op: str
    dim: str
    case: str
    sizes: int
    compiled: int
    sectors: float
    statements: float
    worst: int

    @property
    def is_small(self) -> bool:
        return self.compiled == 1 and max(self.sectors, self.statements) <= MOST

    def __str__(self) -> str:
        made = f"{self.compiled} compiled for {self.sizes} sizes"
        return f"{self.case:64} {made:24} sectors x {self.sectors:.2f}, statements x {self.statements:.2f} at {self.worst}"


def costs_of(workload: Workload, target: str, dtype: str) -> list[Cost]:
    """Along each dim of an operator."""
    found: list[Cost] = []
    for dim in workload.flat_dims:
        cost = cost_of(workload, target, dtype, dim)
        if cost is not None:
            found.append(cost)
    return found


def cost_of(workload: Workload, target: str, dtype: str, dim: str) -> Cost | None:
    """Along one dim; None where the sizes of the operator admit no other one of it."""
    kernels = KernelsOfAnySize()
    ratios: list[tuple[float, float, int]] = []
    for request in _requests(workload, target, dtype, dim):
        sizes, free = request.instance.flat_dims, kernels.find(request, frozenset({dim}))
        if free is None:
            continue
        (moved, done), (least, work) = map(_counts, (issued_of(free.module, sizes), issued_of(module_of(request))))
        ratios.append((moved / max(least, 1), done / max(work, 1), sizes[dim]))
    if len(ratios) < 2:
        return None
    worst = max(ratios, key=lambda each: max(each[:2]))[2]
    case = f"{workload.op} {dtype} on {target}, any {dim}"
    compiled = sum(kernel is not None for kernel in kernels.known.values())
    return Cost(workload.op, dim, case, len(ratios), compiled, max(r[0] for r in ratios), max(r[1] for r in ratios), worst)


def _requests(workload: Workload, target: str, dtype: str, dim: str) -> Iterator[Request]:
    """The operator at ten sizes of a dim, those that it admits."""
    for part in PARTS:
        sizes = {**workload.flat_dims, dim: max(round(workload.flat_dims[dim] * part), 1)}
        case = Case(workload.op, target, dtype, workload.at(sizes))
        try:
            yield request_of(case)
        except ShapeError:
            continue


def _counts(issued: Sequence[Issued]) -> tuple[float, float]:
    """Sectors in bytes, and statements; between the least and the most, where data decides, or part of a kernel was read."""
    moved = sum(middle(count) for each in issued for count in (each.read_bytes, each.written_bytes))
    return moved, sum(middle(count) for each in issued for count in each.statements.values())


@dataclass(frozen=True, slots=True)
class Costs:
    """Of an operator along its dims."""

    dims: tuple[Cost, ...]


@dataclass(frozen=True, slots=True)
class Subject:
    """An operator at a size, on a target, in a type."""

    workload: Workload
    target: str
    dtype: str

    @property
    def name(self) -> str:
        return f"{self.workload} {self.target} {self.dtype}"


def _costs(subjects: Sequence[Subject]) -> list[Costs]:
    return [Costs(tuple(costs_of(each.workload, each.target, each.dtype))) for each in subjects]


STEPS: Steps[Subject, Costs] = Steps("any_size_counts", Records(Costs), lambda subject: subject.name, _costs)


def workloads() -> tuple[Workload, ...]:
    """Those of `traffic` and of `any_size`, each operator once."""
    found: dict[str, Workload] = {}
    for case in any_size.CASES:
        found.setdefault(case.op, Workload(case.op, dict(case.dims), dict(case.attrs)))
    for row in traffic.rows():
        found[row.workload.op] = row.workload
    return tuple(found.values())


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m uol.conformance.any_size_counts", description=__doc__)
    parser.add_argument("--target", default=",".join(TARGETS), help="targets, by commas")
    parser.add_argument("--dtype", default="f32,f16", help="types, by commas")
    parser.add_argument("--op", default="", help="operators, by commas; all else")
    parser.add_argument("--all", action="store_true", help="print what costs little, too")
    parser.add_argument("--processes", type=int, default=usable_cores())
    add_run_options(parser)
    options = parser.parse_args(arguments)
    targets, dtypes = options.target.split(","), options.dtype.split(",")
    if strangers := [t for t in targets if t.partition(":")[0] not in TARGETS]:
        hint = f"they are counted on {', '.join(TARGETS)}"
        raise UolError(f"no kernels of any size are counted on {', '.join(strangers)}", hint=hint)
    chosen = [w for w in workloads() if not options.op or w.op in options.op.split(",")]
    items = [Subject(w, t, d) for w in chosen for t in targets for d in types_of(w.op, dtypes)]
    with ProcessPoolExecutor(options.processes, get_context("spawn")) as pool:
        found = results_of(STEPS, items, options, pool)
        return report((cost for costs in found for cost in costs.dims), show_all=options.all)


def report(found: Iterable[Cost], *, show_all: bool = False) -> int:
    """Prints what costs more, or all, and how much there is of both; the exit status."""
    tally = printed({}, found, lambda each: each.is_small, show_all=show_all)
    print(f"{tally.held + tally.wrong} dims, {tally.wrong} beyond {MOST}; modelled from the texts")
    return tally.status


if __name__ == "__main__":
    run_command(main)
