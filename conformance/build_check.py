"""Do the vendors' compilers take what is emitted? Every operator and its gradient, f32, at its representative workload.

    python -m uol.conformance.build_check [--target cuda,hip] [--op ...] [--processes 2]

Prints what is refused by the pre-flight, and what a compiler rejects; exit status 1 for the latter, 2 where a compiler is
missing.
"""

from __future__ import annotations

import argparse
import os
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from typing import Literal

from uol.backends import registry
from uol.codegen.backend import HostBackend
from uol.compilation.pipeline import generate
from uol.compilation.request import Request, resolve_target
from uol.conformance.cases.case_matrix import types_of
from uol.conformance.cases.selection import differentiable
from uol.conformance.cases.verdict import Case
from uol.conformance.command import run_command
from uol.conformance.gradients.cases import fitting
from uol.ir.errors import MissingToolError, ResourceError, UolError
from uol.operators.registry import find_operator
from uol.ops.texts import names
from uol.ops.workloads import workloads_of

Outcome = Literal["built", "refused", "rejected", "no compiler"]


@dataclass(frozen=True, slots=True)
class Built:
    """What became of one operator's text."""

    op: str
    outcome: Outcome
    reason: str = ""


def build_one(target: str, name: str) -> Built:
    """The text of an operator for a target, and what its vendor's compiler says of it."""
    chosen = resolve_target(target)
    case = Case(name, target, types_of(name, ("f32",))[0], workloads_of(name)[0])
    try:
        chosen.backend.build(generate(Request(fitting(find_operator(name), case), chosen)))
    except ResourceError as error:
        return Built(name, "refused", error.message)
    except MissingToolError as error:
        return Built(name, "no compiler", error.message)
    except UolError as error:
        return Built(name, "rejected", str(error))
    return Built(name, "built")


def has_compiler(target: str) -> bool:
    """Does a target's text go to a vendor's compiler, and is something of that vendor's installed here?"""
    backend = registry.get(target)
    return not isinstance(backend, HostBackend) and any(state.found for state in backend.doctor())


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m uol.conformance.build_check", description=__doc__)
    parser.add_argument("--target", default=",".join(filter(has_compiler, registry.names())), help="targets, by commas")
    parser.add_argument("--op", default=",".join(names()), help="operators, by commas")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args(arguments)
    forward = options.op.split(",")
    chosen = [*forward, *differentiable(forward)]
    outcomes: Counter[Outcome] = Counter()
    with ProcessPoolExecutor(options.processes, get_context("spawn")) as pool:
        for target in options.target.split(","):
            found = list(pool.map(partial(build_one, target), chosen, chunksize=8))
            for each in found:
                if each.outcome != "built":
                    print(f"{target:8} {each.op:32} {each.outcome}: {each.reason[:300]}")
            counted = Counter(b.outcome for b in found)
            print(f"{target:8} {len(found)} operators: {', '.join(f'{n} {what}' for what, n in counted.items())}", flush=True)
            outcomes += counted
    return 1 if outcomes["rejected"] else 2 if outcomes["no compiler"] else 0


if __name__ == "__main__":
    run_command(main)
