"""Do the inputs bite? Faults of numerics planted in operators, each held against the right operator's contract.

    python -m uol.conformance.planted_faults [--target cpu,cuda] [--dtype f32]
    python -m uol.conformance.planted_faults --first --target cpu        faults of texts, by the cases of `uol conform --first`
    python -m uol.conformance.planted_faults --quick --target cuda       faults of kernels, by those of `uol conform --quick`

For every fault of planted_faults.toml: the altered text compiled for the target and run on the kind of inputs that should find
it, judged as `uol conform` judges; and likewise emitted kernels that were edited, in the twin (planted_kernel_faults.toml and
planted_precision_faults.toml). Exit status 1 where one passes.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass

from uol.backends import registry
from uol.backends.cache.records import Records
from uol.conformance.cases.twin_check import has_twin
from uol.conformance.command import run_command
from uol.conformance.mutation.planted import (
    Fault,
    applies,
    breaches,
    faults,
    faults_in,
    prepared_cases,
    quick_breaches,
    refusal,
)
from uol.conformance.runs.keys import content_of, content_of_refusal, together
from uol.conformance.runs.steps import Steps, add_run_options, results_of
from uol.ir.errors import UolError


@dataclass(frozen=True, slots=True)
class Planted:
    """A fault on a target, in a type; with `quick`, to be found by the cases of a quick check."""

    fault: Fault
    target: str
    dtype: str
    quick: bool = False

    def __str__(self) -> str:
        by = "a quick check" if self.quick else self.fault.found_by
        return f"{self.target} {self.dtype} {self.fault}, in its {self.fault.where}, on {by}"


@dataclass(frozen=True, slots=True)
class Breach:
    """How a fault was found: the reason of the breach, empty where it was missed; or why its target refuses the text."""

    fault: Fault
    reason: str
    refused: str = ""


def found(planted: Sequence[Planted]) -> list[Breach]:
    """What comes of faults, all on the target and in the type of the first."""
    target, dtype = planted[0].target, planted[0].dtype
    texts = [each.fault for each in planted if each.fault.where == "text"]
    refused = {fault: said for fault in texts if (said := refusal(fault, target, dtype))}
    chosen = [each.fault for each in planted if each.fault not in refused]
    done = (quick_breaches if planted[0].quick else breaches)(chosen, target, dtype)
    reasons = dict(zip(chosen, done, strict=True))
    return [Breach(each.fault, reasons.get(each.fault, ""), refused.get(each.fault, "")) for each in planted]


def _content(planted: Planted) -> str:
    """Hash of the faulty kernels and the inputs, and of the right operator's text, which says what is admitted."""
    try:
        cases = prepared_cases(planted.fault, planted.target, planted.dtype, quick=planted.quick)
        return together([content_of(case) for case in cases])
    except UolError as error:
        return content_of_refusal(error.message)


JUDGE = ("uol/conformance/planted_faults.py", "uol/conformance/mutation/planted.py")
STEPS: Steps[Planted, Breach] = Steps("planted_faults", Records(Breach), str, found, _content, JUDGE, together=64)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m uol.conformance.planted_faults", description=__doc__)
    parser.add_argument("--target", default=",".join(registry.names()), help="targets, by commas")
    parser.add_argument("--op", help="operators, by commas; all with faults else")
    parser.add_argument("--dtype", default="f32", help="the type")
    parser.add_argument("--first", action="store_true", help="which faults of texts the cases of `uol conform --first` find")
    parser.add_argument("--quick", action="store_true", help="which faults of kernels those of `uol conform --quick` find")
    add_run_options(parser)
    options = parser.parse_args(arguments)
    known = faults_in("text") if options.first else faults_in("quick") if options.quick else faults()
    known = tuple(f for f in known if options.op is None or f.op in options.op.split(","))
    if not known:
        raise UolError(f"there are no faults of {options.op}", hint="conformance/planted_faults.toml has them")
    missed = [report(target, known, options) for target in options.target.split(",")]
    return 1 if any(missed) else 0


def report(target: str, known: Sequence[Fault], options: argparse.Namespace) -> int:
    """Prints what is found of faults on one target. How many are not?"""
    dtype, quick = options.dtype, options.first or options.quick
    chosen = [f for f in known if f.where == "text" or has_twin(target) and applies(f, target, f.dtype or dtype)]
    breached = [*results_of(STEPS, [Planted(fault, target, dtype, quick) for fault in chosen], options)]
    for each in breached:
        fault, how = each.fault, "refused" if each.refused else each.fault.found_by
        place = "text" if fault.where == "text" else "kernel"
        print(f"{target:8} {how:9} {fault}, in its {place}: {each.refused or each.reason or 'MISSED'}", flush=True)
    refused = sum(bool(each.refused) for each in breached)
    lost = sum(not (each.refused or each.reason) for each in breached)
    print(f"{target}: {len(breached) - refused - lost} of {len(breached) - refused} found, {refused} refused")
    return lost


if __name__ == "__main__":
    run_command(main)
