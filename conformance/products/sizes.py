"""Are products right at sizes that the library's cases, which are small, do not have? Those of sizes.toml: whole tiles of
matrix units with tails of every dim; 18,432 terms, on inputs of kind `wide` as well; and more than 65,535 blocks, which is as
many as the second and third dim of a CUDA grid admit.

    python -m uol.conformance.products.sizes [--op matmul,linear] [--of tiles,terms,blocks] [--target cuda:a100,hip:mi250x]
                                             [--dtype f32,f16,bf16] [--shard I/N] [--resume FILE]

A line for each operator, and for the gradient of each: within its contract against golden value, reference and oracle, without
a finding of the twin, or not. Exit status 1 where one is not; 2 for bad input.
"""

from __future__ import annotations

import argparse
import tomllib
from collections.abc import Iterator, Sequence
from functools import cache
from importlib.resources import files
from typing import Any

from uol.backends import registry
from uol.backends.cache.records import Records
from uol.codegen.backend import HasBlocks
from uol.conformance.cases.contents import content_of_case
from uol.conformance.cases.selection import differentiable
from uol.conformance.cases.twin_check import check
from uol.conformance.cases.verdict import Case, Verdict
from uol.conformance.command import run_command
from uol.conformance.runs.steps import Steps, add_run_options, results_of
from uol.ir.errors import UolError
from uol.ops.inputs import Kind
from uol.ops.workloads import Workload, read_cases

TARGETS = tuple(name for name in registry.names() if isinstance(registry.get(name), HasBlocks))
INPUTS: dict[str, tuple[Kind, ...]] = {"tiles": ("random",), "terms": ("random", "wide"), "blocks": ("random",)}


@cache
def _table() -> dict[str, list[dict[str, Any]]]:
    return tomllib.loads(files("uol.conformance.products").joinpath("sizes.toml").read_text(encoding="utf-8"))


def cases(of: Sequence[str], ops: Sequence[str], targets: Sequence[str], dtypes: Sequence[str]) -> Iterator[Case]:
    """The cases of some tables; of all operators where none is named."""
    for name in of:
        for group in _table()[name]:
            for op in group["ops"] if not ops else [op for op in group["ops"] if op in ops]:
                for each in (op, *differentiable([op])):
                    for workload in read_cases(each, group).workloads:
                        yield from _cases(workload, INPUTS[name], targets, dtypes)


def _cases(workload: Workload, kinds: Sequence[Kind], targets: Sequence[str], dtypes: Sequence[str]) -> Iterator[Case]:
    for dtype in dtypes:
        for inputs in kinds:
            for target in targets:
                yield Case(workload.op, target, dtype, workload, inputs)


JUDGE = ("uol/conformance/cases/", "uol/conformance/accuracy/", "uol/conformance/contracts.toml", "uol/ops/")
STEPS: Steps[Case, Verdict] = Steps("products.sizes", Records(Verdict), str, check, content_of_case, JUDGE, together=6)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m uol.conformance.products.sizes", description=__doc__)
    parser.add_argument("--op", help="operators, by commas; all of the tables else")
    parser.add_argument("--of", default=",".join(INPUTS), help="tables, by commas")
    parser.add_argument("--target", default=",".join(TARGETS), help="targets, by commas")
    parser.add_argument("--dtype", default="f32,f16,bf16", help="types, by commas")
    add_run_options(parser)
    options = parser.parse_args(arguments)
    ops = [] if options.op is None else options.op.split(",")
    unknown = set(tables := options.of.split(",")) - set(INPUTS)
    if unknown:
        raise UolError(f"there is no table {sorted(unknown)[0]!r}", hint=f"the tables are {', '.join(INPUTS)}")
    chosen = list(cases(tables, ops, options.target.split(","), options.dtype.split(",")))
    if not chosen:
        raise UolError("there is nothing to check", hint="name operators of conformance/products/sizes.toml with --op")
    wrong = 0
    for verdict in results_of(STEPS, chosen, options):
        shown = f": {verdict.reason}" if verdict.reason else ""
        print(f"{verdict.status:8} {verdict.case}{shown}", flush=True)
        wrong += not verdict.ok
    print(f"{len(chosen)} cases, {wrong} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    run_command(main)
