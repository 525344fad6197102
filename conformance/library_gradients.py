"""Gradients of the library's operators, first and second order, held against PyTorch's autograd on their texts, in float64.

    python -m uol.conformance.library_gradients [--op NAME,NAME] [--largest 4000]

Every operator with a gradient, on random inputs and on small integers, which are equal to each other often, for every
workload of at most `--largest` points: the gradient that is derived and, where one
is written in its place, that too. The oracle is `uol.conformance.autograd`, which knows nothing of how gradients are derived.
Exit status 1 where one is wrong or refused.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from math import prod
from time import perf_counter

import numpy as np

from uol.backends.cache.records import Records
from uol.binding.named_binding import bind_names
from uol.conformance.autograd.oracle import Gradients, gradients
from uol.conformance.command import run_command
from uol.conformance.gradients.derived import Arrays, derivatives, first_and_second, written_derivatives
from uol.conformance.gradients.trial import TOLERANCE, Outcome, drawn, judged
from uol.conformance.runs.steps import Steps, add_run_options, results_of
from uol.ir import Op, Program, UolError, instantiate, interpret
from uol.ir.checker.instantiation import dim_names
from uol.ir.checker.variadic_dims import pack_names
from uol.ir.gradients import has_gradient
from uol.ir.library import GRADIENT, SAVING
from uol.ir.types import is_float
from uol.ops.inputs import Kind, make_inputs
from uol.ops.texts import library, names
from uol.ops.workloads import Workload, workloads_of

LARGEST = 4000
"""Points of the workloads that are tried: the product of their dims."""
KINDS: tuple[Kind, ...] = ("random", "exact")
PIECES_MEET_AT_ZERO = frozenset(("atan", "asin", "acos", "atan2", "sinh", "cosh", "asinh", "atanh", "erfinv"))
"""Operators whose text is of |x|: piece by piece its derivative at 0, which is the oracle's, is 0. Their gradients are written,
by the formula; here they are compared beside 0."""
NARROW_TOLERANCE = 1e-5
"""Where a tensor is f32 whatever the type of the operator: what the operator stores there is rounded, the oracle's is not."""


class LibraryCase:
    """An operator of the library at a workload, in float64 where it admits that."""

    def __init__(self, workload: Workload) -> None:
        op = library().get(workload.op)
        assert op is not None
        self.op: Op = op
        self.workload = workload
        self.types = {t.variable: "f64" if "f64" in t.types else t.types[0] for t in op.domain}
        self.attrs = {**workload.attrs, **bind_names(op, self.types, workload.dims, workload.attrs).attrs}

    def instance(self, op: Op) -> Program:
        """The operator, or a gradient of it, with what it has of the types, dims and attributes of the case."""
        ranks = {p: self.workload.ranks[p] for p in pack_names(op)}
        dims = {d: self.workload.flat_dims[d] for d in dim_names(op, ranks)}
        attrs = {a.name: self.attrs[a.name] for a in op.attributes if a.name in self.attrs}
        types = {t.variable: self.types[t.variable] for t in op.domain}
        return instantiate(op, library(), types=types, ranks=ranks, dims=dims, attrs=attrs)

    def run(self, program: Program, inputs: Arrays) -> Arrays:
        """The interpreter, with the attributes of the case."""
        return interpret(program, inputs, {s.name: self.attrs[s.name] for s in program.scalars})


def differentiable() -> list[str]:
    """The operators of the library that have a gradient."""
    return [name for name in names() if (op := library().get(name)) is not None and has_gradient(op)]


def workloads(name: str, largest: int = LARGEST) -> tuple[Workload, ...]:
    """The workloads of an operator that are tried: the smallest at least."""
    every = sorted(workloads_of(name), key=points)
    return tuple(w for w in every if points(w) <= largest) or tuple(every[:1])


def points(workload: Workload) -> int:
    """How large a workload is: the product of its dims."""
    return prod(workload.flat_dims.values())


def library_trial(workload: Workload, kind: Kind = "random", seed: int = 0) -> Outcome:
    """An operator's gradients at a workload, on inputs of a kind: small integers (`exact`) are equal to each other often."""
    case = LibraryCase(workload)
    forward = case.instance(case.op)
    inputs = make_inputs(forward, kind, seed)
    if case.op.name in PIECES_MEET_AT_ZERO:
        inputs = {name: np.where(values == 0, 0.25, values) for name, values in inputs.items()}
    if case.op.name == "atan2":  # its pieces meet where |a| = |b|, too
        inputs["b"] = np.where(np.abs(inputs["a"]) == np.abs(inputs["b"]), np.multiply(inputs["b"], 1.25), inputs["b"])
    results = case.run(forward, inputs)
    cotangents, directions = drawn(forward, results, inputs, seed)
    owed = gradients(forward, inputs, cotangents, directions, {s.name: case.attrs[s.name] for s in forward.scalars})
    if not owed.is_finite:
        return Outcome("not finite")
    tolerance = TOLERANCE if all(t.dtype == "f64" for t in forward.tensors.values() if is_float(t.dtype)) else NARROW_TOLERANCE
    try:
        ways = [derivatives(case.op, library(), case.instance)]
        written = library().written_gradient(f"{case.op.name}{GRADIENT}")
        if written is not None:
            saving = library().get(f"{case.op.name}{SAVING}") or case.op
            ways.append(written_derivatives(saving, written, library(), case.instance))
    except UolError as error:
        return Outcome("refused", f"{type(error).__name__}: {error.message}")
    for way in ways:
        found = Gradients(results, *first_and_second(way, inputs, cotangents, directions, case.run))
        outcome = judged(found, owed, tolerance)
        if outcome.state == "wrong":
            return outcome
    return Outcome("right")


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of an operator's workloads and kinds of inputs."""

    op: str
    outcomes: tuple[tuple[str, Outcome], ...]


def _tried(largest: int, ops: Sequence[str]) -> list[Tried]:
    return [Tried(op, tuple((str(w), library_trial(w, kind)) for w in workloads(op, largest) for kind in KINDS)) for op in ops]


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m uol.conformance.library_gradients", description=__doc__)
    parser.add_argument("--op", help="operators, by commas; every one that has a gradient else")
    parser.add_argument("--largest", type=int, default=LARGEST, help="points of the largest workload that is tried")
    add_run_options(parser)
    chosen = parser.parse_args(arguments)
    start, failed, tried = perf_counter(), 0, 0
    every = chosen.op.split(",") if chosen.op else differentiable()
    of = f"library_gradients to {chosen.largest}"
    steps: Steps[str, Tried] = Steps(of, Records(Tried), str, partial(_tried, chosen.largest))
    operators = 0
    for each in results_of(steps, every, chosen):
        name, found, operators = each.op, each.outcomes, operators + 1
        bad = [(w, o) for w, o in found if o.state in ("wrong", "refused")]
        skipped = sum(o.state == "not finite" for _, o in found)
        failed, tried = failed + bool(bad), tried + len(found) - skipped
        note = f", {skipped} without finite gradients" if skipped else ""
        print(f"{name:40} {'failed' if bad else 'passed'} on {len(found) - skipped} cases{note}", flush=True)
        for workload, outcome in bad:
            print(f"  {workload}: {outcome.state}, order {outcome.order}: {outcome.reason}", flush=True)
    print(f"{operators} operators, {tried} cases in {perf_counter() - start:.0f} s: {failed} operators failed")
    return 1 if failed else 0


if __name__ == "__main__":
    run_command(main)
