"""Do the checks bite? `python -m uol.conformance.mutation_run`: every mutant of the golden kernels, judged in the twin.

Prints a line a kernel, then the survivors, and writes all of it as JSON. Exit status 1 where more than 2 % of the mutants
live, or one lives that equivalent_mutants.toml does not prove to compute the same.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from uol.backends import registry
from uol.conformance.cases.twin_check import has_twin
from uol.conformance.command import run_command
from uol.conformance.mutation.golden import mutated_cases
from uol.conformance.mutation.judge import Judged, MutationReport, judge_mutants, kernel_name

ADMITTED_RATE = 0.02
"""The share of mutants that may live, proven equivalents included."""


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m uol.conformance.mutation_run", description=__doc__)
    parser.add_argument("--target", default=",".join(n for n in registry.names() if has_twin(n)), help="targets, by commas")
    parser.add_argument("--op", help="operators, by commas; all golden kernels else")
    parser.add_argument("--dtype", default="f32,f16", help="types, by commas")
    parser.add_argument("-o", "--output", type=Path, help="a file for the report as JSON")
    options = parser.parse_args(arguments)
    chosen = None if options.op is None else options.op.split(",")
    judged: list[Judged] = []
    for case in mutated_cases(options.target.split(","), options.dtype.split(",")):
        if chosen is None or case.op in chosen:
            report = judge_mutants([case])
            print(f"{kernel_name(case):28} {summary(report)}", flush=True)
            judged += report.mutants
    whole = MutationReport(tuple(judged))
    for mutant in whole.unexplained:
        print(f"survived: {mutant.kernel}, line {mutant.line}: {mutant.description}")
    print(f"{'all':28} {summary(whole)}")
    if options.output is not None:
        options.output.write_text(json.dumps(whole.record(), indent=1) + "\n", encoding="utf-8")
    return 0 if judged and whole.rate <= ADMITTED_RATE and not whole.unexplained else 1


def summary(report: MutationReport) -> str:
    """How many mutants there are, how many live, and how many of those are not proven equivalent."""
    alive, unproven = len(report.alive), len(report.unexplained)
    return f"{len(report.mutants):5} mutants, {alive:3} live ({report.rate:.1%}), {unproven:3} unproven"


if __name__ == "__main__":
    run_command(main)
