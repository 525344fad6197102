"""`python -m uol.conformance.support`: the support matrix as JSON, from the same run as `uol conform`'s.

Without options it checks every case of every operator in f32, f16 and bf16, which takes a while.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from uol.backends import registry
from uol.backends.cpu.host import usable_cores
from uol.conformance.cases.matrix import Cell, support_matrix
from uol.conformance.cases.selection import Selection, plan
from uol.conformance.cases.verdict import Verdict
from uol.conformance.cases.workers import gather
from uol.conformance.command import run_command
from uol.conformance.runs.resume import journal_of
from uol.conformance.runs.shards import read_shard
from uol.conformance.runs.steps import add_run_options
from uol.json_text import json_text
from uol.operators.sources import OperatorSources
from uol.ops.texts import names

__all__ = ["Cell", "main", "support_matrix"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the cases and writes the matrix as JSON. Exit status 1 where a cell is wrong."""
    parser = argparse.ArgumentParser(prog="python -m uol.conformance.support", description=__doc__)
    parser.add_argument("--op", default=",".join(names()), help="operators, by commas")
    parser.add_argument("--target", default=",".join(registry.names()), help="targets, by commas")
    parser.add_argument("--dtype", default="f32,f16,bf16", help="types, by commas")
    parser.add_argument("--gradients", action="store_true", help="the gradients of the operators, in their place")
    parser.add_argument("--first", action="store_true", help="on the representative workload alone, on random inputs")
    parser.add_argument("-j", "--jobs", type=int, default=usable_cores(), help="processes; the cores that may be used else")
    parser.add_argument("-o", "--output", type=Path, help="the file; standard output else")
    add_run_options(parser)
    options = parser.parse_args(arguments)
    ops, targets, dtypes = (tuple(text.split(",")) for text in (options.op, options.target, options.dtype))
    planned = plan(Selection(ops, targets, dtypes, first=options.first, gradients=options.gradients))
    planned, journal = planned.of(read_shard(options.shard)), journal_of(options.resume)
    evidence = gather(planned.groups, OperatorSources(), max(1, options.jobs), _say, journal)
    print(evidence.said, file=sys.stderr)
    cells = support_matrix(evidence.verdicts)
    text = json_text([asdict(c) for c in cells], indent=1) + "\n"
    if options.output is None:
        print(text, end="")
    else:
        options.output.write_text(text, encoding="utf-8")
    return 1 if any(c.state == "wrong" for c in cells) else 0


def _say(verdicts: Sequence[Verdict]) -> None:
    for cell in support_matrix(verdicts):
        print(cell, file=sys.stderr, flush=True)


if __name__ == "__main__":
    run_command(main)
