"""Operators at sizes that are drawn: does every one of them become kernels, and do these give what they should?

    python -m uol.conformance.random_kernels.sizes --op causal_attention,conv2d_grad [--target cuda,hip] [--count 100]
    python -m uol.conformance.random_kernels.sizes --texts --op ...     the texts alone, at sizes of which some are large

A draw begins with a workload of the operator's cases and puts other sizes in place of most of its dims, as the `where` clauses
admit: 1, what fills a tile, and its neighbours. One in four draws has kernels that take dims as arguments. Each is checked as
`uol conform` does. What fails is printed with its workload; exit status 1 where anything does.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from math import prod
from random import Random

from uol.backends import registry
from uol.compilation.pipeline import module_of
from uol.conformance.cases.case_matrix import types_of
from uol.conformance.cases.open_sizes import Sizes
from uol.conformance.cases.requests import request_of
from uol.conformance.cases.selection import differentiable
from uol.conformance.cases.twin_check import check, has_twin
from uol.conformance.cases.verdict import Case, Verdict
from uol.conformance.command import run_command
from uol.conformance.gradients.cases import fitting
from uol.ir.errors import RefusalError, ShapeError, UolError
from uol.operators.registry import find_operator
from uol.ops.references.gradients import forward_of
from uol.ops.texts import names
from uol.ops.workloads import Workload, workloads_of

SIZES = (1, 2, 3, 7, 8, 13, 16, 27, 32, 33, 64, 65, 72, 96, 127, 128, 131, 160, 256, 257, 513, 1024)
KEPT = 0.3
"""The share of dims that stay as they were."""
OPEN = 0.25
"""The share of draws whose kernels take dims as arguments."""
DRAWS = 200
"""How often sizes are drawn for one case until they fit."""
MOST_RUN, MOST_WRITTEN = 1 << 18, 1 << 28
"""The product of all dims at most, so that a twin runs it in a moment, and where only texts are made."""
BATCH = 16


def cases(ops: Sequence[str], targets: Sequence[str], dtypes: Sequence[str], random: Random, most: int) -> Iterator[Case]:
    """Cases without end, of operators that admit one of the types; `most`: the product of all dims at most."""
    admitted = [(op, dtype) for op in ops for dtype in types_of(op, dtypes)]
    while admitted:
        op, dtype = random.choice(admitted)
        sizes: Sizes = "open" if random.random() < OPEN else "fixed"
        target, workload = random.choice(targets), random.choice(workloads_of(op))
        base = Case(op, target, dtype, workload, seed=random.randrange(1000), sizes=sizes)
        drawn = (replace(base, workload=_drawn(base.workload, random)) for _ in range(DRAWS))
        yield from next(([case] for case in drawn if _product(case.workload) <= most and _is_admitted(case)), [])


def _drawn(workload: Workload, random: Random) -> Workload:
    return workload.at({n: each if random.random() < KEPT else random.choice(SIZES) for n, each in workload.flat_dims.items()})


def _product(workload: Workload) -> int:
    """Of the dims that are not 0: what has none of some tensors may have many of others."""
    return prod(each for each in workload.flat_dims.values() if each)


def _is_admitted(case: Case) -> bool:
    """Do the operator and, of a gradient, its forward admit the sizes?"""
    forward = forward_of(case.op)
    try:
        for op in (find_operator(case.op), *(() if forward is None else (forward,))):
            fitting(op, case)
    except ShapeError:
        return False
    return True


def defect_of_text(case: Case) -> str:
    """What befell the compiler; nothing where there is a text, or a refusal that the target may give."""
    try:
        module_of(request_of(case))
    except RefusalError:
        return ""
    except Exception as error:  # whatever it is: a draw of sizes that are admitted has found it
        return error.message if isinstance(error, UolError) else f"{type(error).__name__}: {error}"
    return ""


def _defect_of(verdict: Verdict) -> str:
    return "" if verdict.state != "failed" else verdict.reason or verdict.status


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m uol.conformance.random_kernels.sizes", description=__doc__)
    parser.add_argument("--op", default="", help="operators and gradients, by commas; without it all")
    parser.add_argument("--target", default=",".join(n for n in registry.names() if has_twin(n)), help="targets, by commas")
    parser.add_argument("--dtype", default="f32,f16,bf16", help="types, by commas")
    parser.add_argument("--texts", action="store_true", help="make texts, and run nothing")
    parser.add_argument("--count", type=int, default=100, help="how many draws (default: 100)")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    ops = options.op.split(",") if options.op else [*names(), *differentiable(names())]
    most = MOST_WRITTEN if options.texts else MOST_RUN
    drawn = cases(ops, options.target.split(","), options.dtype.split(","), Random(options.seed), most)
    count = failed = 0
    while batch := list(islice(drawn, min(BATCH, options.count - count))):
        reasons = map(defect_of_text, batch) if options.texts else map(_defect_of, check(batch))
        for case, reason in zip(batch, reasons, strict=True):
            failed += bool(reason)
            if reason:
                print(f"{case}; seed {case.seed}: {reason}", flush=True)
        count += len(batch)
    print(f"{count} draws, {failed} failed")
    return 1 if failed or not count else 0


if __name__ == "__main__":
    run_command(main)
