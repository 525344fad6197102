"""Does what a kernel does grow as its operator does? `python -m uol.conformance.growth` runs every operator and every gradient
in the twins, counted, at a workload and with one dim after another four times as long.

    python -m uol.conformance.growth [--target TARGETS] [--dtype f32] [--op cumsum,sort] [--forward] [--all]

Of each: by how much the sectors that are moved grow, and the statements that are executed; beside them, by how much the bytes
that the operator must move grow, and its work, operations (of an order n log n) and elements that are moved. The closed forms
are those of a machine that has every kind of kernel. Sectors that grow at most 1.15 times as much as either, and statements
that grow at most 1.15 times as much as the work, grow as the operator does; where the work shrinks, what does not grow. Where
they do not, another kernel may have been taken for the longer dim, or a part that is paid once has grown: then the dim grows
by as much again, and once more, and one of these has to be as the operator's, or all up to then together: two kernels that are
taken by turns grow from the first to the third as one. What grows more is printed (all with --all); exit status 1 where
growth.toml has no reason for it, 2 for bad input.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from math import log2
from multiprocessing import get_context

from uol.backends import registry
from uol.backends.cache.records import Records
from uol.backends.cpu.host import usable_cores
from uol.backends.twin import Job, TwinRun, execute_many, kind_of
from uol.codegen.indexing.arithmetic import size, value_at
from uol.codegen.lowering import lower
from uol.codegen.specs.nodes import KernelSpec, Select
from uol.codegen.work import Issued, compulsory
from uol.compilation.request import Strides
from uol.conformance.cases.case_matrix import types_of
from uol.conformance.cases.reasons import printed, reasons_of
from uol.conformance.cases.selection import differentiable
from uol.conformance.cases.twin_check import Prepared, prepare
from uol.conformance.cases.verdict import Case
from uol.conformance.command import run_command
from uol.conformance.counts import is_counted
from uol.conformance.runs.steps import Steps, add_run_options, results_of
from uol.ir.errors import UolError
from uol.ir.program.nodes import Program
from uol.ops.texts import names
from uol.ops.workloads import Workload, workloads_of

LONGER = 4
STEPS = (1, LONGER, LONGER * LONGER)
"""How many times as long a dim is before it grows."""
MOST = 1.15
"""How much more than the closed forms a count may grow."""
LEAST, ROOM = 24, 1 << 16
"""Dims of a workload that are shorter are first made so long, for what a kernel does for none is then a small part; but not
where all dims together would span more than that."""
TOGETHER = 8
"""Operators whose kernels are compiled together."""

Place = tuple[str, str, str, int]
"""An operator, a target, a dim and how many times as long it is."""

TARGETS = [t for t in registry.names() if is_counted(t) and any(n.startswith("statements") for n in kind_of(t).observed({}))]
"""Whose twins count sectors and statements."""


@dataclass(frozen=True, slots=True)
class Growth:
    """From one workload to another, by how much each grew: `sectors` beside `moved`, `statements` beside `computed`. `before`:
    how many times as long the dim was already; `times`: how many times as long it got."""

    op: str
    target: str
    dim: str
    before: int
    times: int
    sectors: float
    moved: float
    statements: float
    computed: float

    @property
    def is_linear(self) -> bool:
        return self.sectors <= MOST * max(self.moved, self.computed, 1) and self.statements <= MOST * max(self.computed, 1)

    def __str__(self) -> str:
        moved = f"sectors x {self.sectors:.2f} for bytes x {self.moved:.2f}"
        by = f"{self.dim} x {self.times}" + (f" behind x {self.before}" if self.before > 1 else "")
        case = f"{self.op} on {self.target}, {by}"
        return f"{case}: {moved}, statements x {self.statements:.2f} for work x {self.computed:.2f}"


def growth_of(ops: Sequence[str], targets: Sequence[str], dtype: str) -> list[Growth]:
    """Of some operators, along each of their dims that can be longer alone."""
    cases = {(op, target): _least(workloads_of(op)[0]) for op in ops for target in targets}
    counts = _counts({(op, target, "", 1): workload for (op, target), workload in cases.items()}, dtype)
    known = [(op, target, dim) for op, target, _, _ in counts for dim in cases[op, target].flat_dims]
    found: dict[tuple[str, str, str], Growth] = {}
    for before in STEPS:
        asked = [each for each in known if each not in found or not found[each].is_linear]
        times = before * LONGER
        counts |= _counts({(*each, times): _longer(cases[each[:2]], each[2], times) for each in asked}, dtype)
        for op, target, dim in asked:
            longer = counts.get((op, target, dim, times))
            shorter = {n: counts.get((op, target, dim, n) if n > 1 else (op, target, "", 1)) for n in (before, 1)}
            grown = [
                Growth(op, target, dim, n, times // n, *map(_ratio, longer, each))
                for n, each in shorter.items()
                if longer and each
            ]
            if grown:
                found[op, target, dim] = next((each for each in grown if each.is_linear), grown[0])
    return list(found.values())


def _counts(workloads: Mapping[Place, Workload], dtype: str) -> dict[Place, tuple[float, ...]]:
    """What is counted of each operator that has the type and a kernel, at sizes that it admits."""
    ready: dict[Place, Prepared] = {}
    for place, workload in workloads.items():
        for each in types_of(place[0], (dtype,))[:1]:
            with suppress(UolError, ValueError):
                ready[place] = prepare(Case(place[0], place[1], each, workload))
    jobs = [Job(p.compiled.module, p.buffers, p.scalars, counted=True, most_blocks=None) for p in ready.values()]
    return dict(zip(ready, map(_counted, ready.values(), execute_many(jobs)), strict=True))


def _ratio(longer: float, before: float) -> float:
    return longer / max(before, 1)


@dataclass(frozen=True, slots=True)
class Grown:
    """How an operator's kernels grow along its dims."""

    dims: tuple[Growth, ...]


@dataclass(frozen=True, slots=True)
class Subject:
    """An operator in a type, on some targets."""

    op: str
    targets: tuple[str, ...]
    dtype: str


def grown(subjects: Sequence[Subject]) -> list[Grown]:
    """Of operators in one type on the same targets."""
    found = growth_of([each.op for each in subjects], subjects[0].targets, subjects[0].dtype)
    return [Grown(tuple(each for each in found if each.op == subject.op)) for subject in subjects]


RUN: Steps[Subject, Grown] = Steps("growth", Records(Grown), repr, grown, together=TOGETHER)


def specs_of(program: Program, layouts: Mapping[str, Strides]) -> tuple[KernelSpec, ...]:
    """The kernels of an operator on a machine that has every kind of them."""
    return lower(program, registry.get("cpu"), layouts).specs


def must_of(specs: Iterable[KernelSpec]) -> list[Issued]:
    """What an operator must move and compute, by such kernels."""
    return [compulsory(spec) for spec in specs]


def comparisons_of(specs: Iterable[KernelSpec]) -> float:
    """What the first k places of n elements take besides, by comparisons: n log2 k (Knuth, The Art of Computer Programming 3,
    section 5.3.1), of which `compulsory` counts one for each element."""
    orders = [spec for spec in specs if isinstance(spec, Select)]
    return sum(value_at(size((*s.rows, s.col)), {}) * max(log2(max(value_at(s.place.extent, {}), 1)) - 1, 0) for s in orders)


def _counted(prepared: Prepared, run: TwinRun) -> tuple[float, float, float, float]:
    """Sectors, bytes that must be moved, statements, operations and elements."""
    observed = kind_of(prepared.compiled.module.backend).observed(run.counts)
    specs = specs_of(prepared.program, prepared.compiled.request.layouts)
    must = must_of(specs)
    moved = sum(each.memory_bytes for each in must)
    operations = sum(count.low or 0 for each in must for count in each.operations.values()) + comparisons_of(specs)
    sectors = observed["read bytes"] + observed["written bytes"]
    return sectors, moved, sum(n for name, n in observed.items() if name.startswith("statements")), operations + moved / 4


def _least(workload: Workload) -> Workload:
    """The workload with no short dim."""
    least = min(LEAST, int(ROOM ** (1 / max(len(workload.flat_dims), 1))))
    return workload.at({name: max(size, least) for name, size in workload.flat_dims.items()})


def _longer(workload: Workload, dim: str, times: int) -> Workload:
    return workload.at({**workload.flat_dims, dim: workload.flat_dims[dim] * times})


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m uol.conformance.growth", description=__doc__)
    # A machine without threads orders by comparing all with all.
    linear = [t for t in TARGETS if registry.get(t).capability.max_threads > 1]
    parser.add_argument("--target", default=",".join(linear), help="targets, by commas")
    parser.add_argument("--dtype", default="f32", help="the type that operators have, where they have it")
    parser.add_argument("--op", default=",".join(names()), help="operators, by commas")
    parser.add_argument("--forward", action="store_true", help="no gradients")
    parser.add_argument("--all", action="store_true", help="print what is linear, too")
    parser.add_argument("--processes", type=int, default=usable_cores())
    add_run_options(parser)
    options = parser.parse_args(arguments)
    targets, forward = options.target.split(","), options.op.split(",")
    if strangers := [t for t in targets if t not in TARGETS]:
        raise UolError(f"no statements are counted on {', '.join(strangers)}", hint=f"the targets are {', '.join(TARGETS)}")
    ops = [*forward, *(() if options.forward else differentiable(forward))]
    items = [Subject(op, tuple(targets), options.dtype) for op in ops]
    with ProcessPoolExecutor(options.processes, get_context("spawn")) as pool:
        found = results_of(RUN, items, options, pool)
        return report((each for part in found for each in part.dims), show_all=options.all)


def report(found: Iterable[Growth], *, show_all: bool = False) -> int:
    """Prints what grows more than its operator does, or all, and how much there is of both; the exit status."""
    tally = printed(reasons_of("growth"), found, lambda each: each.is_linear, show_all=show_all)
    whole = tally.held + tally.explained + tally.wrong
    print(f"{tally.held} of {whole} grow as their operators do; of {tally.explained} it is known why not")
    return tally.status


if __name__ == "__main__":
    run_command(main)
