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
from uol.backends.cache.records import Records
from uol.conformance.cases.contents import content_of_case
from uol.conformance.cases.twin_check import has_twin
from uol.conformance.cases.verdict import Case
from uol.conformance.command import run_command
from uol.conformance.mutation.golden import cases_of_sizes, mutated_cases, text_of
from uol.conformance.mutation.judge import Judged, MutationReport, judge_mutants, kernel_name
from uol.conformance.runs.keys import together
from uol.conformance.runs.steps import Steps, add_run_options, results_of

ADMITTED_RATE = 0.02
"""The share of mutants that may live, proven equivalents included."""


def _name(case: Case) -> str:
    return f"{kernel_name(case)} {case.workload}"


def _judged(cases: Sequence[Case]) -> list[MutationReport]:
    return [judge_mutants([case]) for case in cases]


def _content(case: Case) -> str:
    """Hash of the golden kernels of a case, at all its sizes, and of random inputs; `JUDGE` has what draws the others."""
    return together([content_of_case(each) for each in cases_of_sizes(case)])


JUDGE = (
    "uol/conformance/mutation/",
    *("uol/ops/inputs.py", "uol/ops/row_inputs.py", "uol/ops/cases/"),
)
STEPS: Steps[Case, MutationReport] = Steps("mutation_run", Records(MutationReport), _name, _judged, _content, JUDGE)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m uol.conformance.mutation_run", description=__doc__)
    parser.add_argument("--target", default=",".join(n for n in registry.names() if has_twin(n)), help="targets, by commas")
    parser.add_argument("--op", help="operators, by commas; all golden kernels else")
    parser.add_argument("--text", help="names of kept texts of tests/golden, by commas; all of the operators else")
    parser.add_argument("--dtype", default="f32,f16", help="types, by commas")
    parser.add_argument("-o", "--output", type=Path, help="a file for the report as JSON")
    add_run_options(parser)
    options = parser.parse_args(arguments)
    chosen = None if options.op is None else options.op.split(",")
    judged: list[Judged] = []
    texts = None if options.text is None else options.text.split(",")
    cases = mutated_cases(options.target.split(","), options.dtype.split(","))
    cases = tuple(c for c in cases if (chosen is None or c.op in chosen) and (texts is None or text_of(c) in texts))
    for report in map(MutationReport.explained, results_of(STEPS, cases, options)):
        name = report.mutants[0].kernel if report.mutants else ""
        print(f"{name:28} {summary(report)}", flush=True)
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
