"""Do the inputs bite? Faults of numerics planted in operators, each held against the right operator's contract.

    python -m uol.conformance.planted_faults [--target cpu,cuda] [--dtype f32]

For every fault of planted_faults.toml: the altered text compiled for the target and run on the kind of inputs that should find
it, judged as `support` judges; and likewise emitted kernels that were edited, in the twin. Exit status 1 where one passes.
"""

from __future__ import annotations

import argparse
import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from typing import Any, Literal, cast

from uol.backends import registry
from uol.backends.cache.records import Records
from uol.codegen.backend import Module
from uol.compilation.pipeline import module_of
from uol.compiler import Compiled
from uol.conformance.accuracy.contracts import contract
from uol.conformance.accuracy.error_analysis import enclose
from uol.conformance.cases.twin_check import Outcome, Prepared, compare_result, has_twin, outcomes, prepare
from uol.conformance.cases.verdict import Case
from uol.conformance.command import run_command
from uol.conformance.runs.keys import content_of, content_of_refusal
from uol.conformance.runs.steps import Steps, add_run_options, results_of
from uol.ir.errors import RefusalError, UolError
from uol.ir.syntax.parser import parse
from uol.ir.syntax.printer import print_op
from uol.ir.syntax.surface import Op
from uol.operators.registry import find_operator
from uol.ops.inputs import Kind
from uol.ops.workloads import workloads_of


@dataclass(frozen=True, slots=True)
class Fault:
    """`text` of an operator, or of its emitted kernel, replaced by `planted`; `found_by` is a kind of inputs on which it
    breaks the contract, and where `unseen` holds, random inputs keep it."""

    op: str
    fault: str
    text: str
    planted: str
    found_by: Kind
    unseen: bool = False
    where: Literal["text", "kernel"] = "text"

    def __str__(self) -> str:
        return f"{self.op}: {self.fault}"


@cache
def faults() -> tuple[Fault, ...]:
    """The faults of planted_faults.toml."""
    table = tomllib.loads(files("uol.conformance").joinpath("planted_faults.toml").read_text(encoding="utf-8"))
    texts, kernels = cast(list[dict[str, Any]], table["fault"]), cast(list[dict[str, Any]], table["kernel"])
    return (*(Fault(**each) for each in texts), *(Fault(**each, where="kernel") for each in kernels))


def breaches(chosen: Sequence[Fault], target: str, dtype: str, kind: Kind | None = None) -> list[str]:
    """What is wrong with each operator that has a fault in it, on the kind that finds it, or all on another kind; empty where
    the fault is missed. Raises RefusalError where the target has no kernel for a faulty text."""
    cases = [Case(f.op, target, dtype, workloads_of(f.op)[0], kind or f.found_by) for f in chosen]
    ready = [_planted(fault, case) for fault, case in zip(chosen, cases, strict=True)]
    return [_breach(prepared, outcome) for prepared, outcome in zip(ready, outcomes(ready), strict=True)]


def refusal(fault: Fault, target: str, dtype: str) -> str:
    """Why a target has no kernel for a faulty text; empty where it has one."""
    try:
        _planted(fault, Case(fault.op, target, dtype, workloads_of(fault.op)[0]))
    except RefusalError as error:
        return error.message
    return ""


def _breach(prepared: Prepared, outcome: Outcome | UolError) -> str:
    if isinstance(outcome, UolError):
        raise outcome
    owed = contract(prepared.case.target.partition(":")[0])
    admitted = enclose(prepared.program, prepared.values, prepared.scalars, owed)
    compared = [compare_result(t, outcome.outputs.get(t.name), admitted) for t in prepared.program.by_role("out")]
    return next((c.reason for c in compared if not c.ok), "")


def altered(fault: Fault) -> Op:
    """The operator with the fault in its text."""
    (op,) = parse(_replaced(print_op(find_operator(fault.op)), fault), f"<{fault}>")
    return op


def _planted(fault: Fault, case: Case) -> Prepared:
    """A case with the faulty kernels in place of the right ones; what is admitted stays the right operator's."""
    right = prepare(case)
    request = right.compiled.request
    if fault.where == "text":
        request = replace(request, instance=replace(request.instance, op=altered(fault)))
    module = module_of(request)
    if fault.where == "kernel":
        module = _edited(module, fault)
    return replace(right, compiled=Compiled(request, module))


def _is_in_kernel(fault: Fault, target: str, dtype: str) -> bool:
    """Does a target's kernel hold what a fault replaces?"""
    right = prepare(Case(fault.op, target, dtype, workloads_of(fault.op)[0]))
    return fault.text in right.compiled.module.device.text


def _edited(module: Module, fault: Fault) -> Module:
    return replace(module, device=replace(module.device, text=_replaced(module.device.text, fault)))


def _replaced(source: str, fault: Fault) -> str:
    """The source with every occurrence replaced; how it is broken into lines does not count."""
    pattern = re.sub(r"(\\\s)+", r"\\s+", re.escape(fault.text))
    found, count = re.subn(pattern, lambda _: fault.planted, source)
    if not count:
        raise UolError(f"{fault}: `{fault.text}` is not in the {fault.where} of {fault.op}")
    return found


@dataclass(frozen=True, slots=True)
class Planted:
    """A fault on a target, in a type."""

    fault: Fault
    target: str
    dtype: str

    def __str__(self) -> str:
        return f"{self.target} {self.dtype} {self.fault}, in its {self.fault.where}, on {self.fault.found_by}"


@dataclass(frozen=True, slots=True)
class Breach:
    """How a fault was found: the reason of the breach, empty where it was missed; or why its target refuses the text."""

    fault: Fault
    reason: str
    refused: str = ""


def found(planted: Sequence[Planted]) -> list[Breach]:
    """What comes of faults, all on the target and in the type of the first."""
    target, dtype = planted[0].target, planted[0].dtype
    refused = {each.fault: said for each in planted if (said := refusal(each.fault, target, dtype))}
    chosen = [each.fault for each in planted if each.fault not in refused]
    reasons = dict(zip(chosen, breaches(chosen, target, dtype), strict=True))
    return [Breach(each.fault, reasons.get(each.fault, ""), refused.get(each.fault, "")) for each in planted]


def _content(planted: Planted) -> str:
    """Hash of the faulty kernels and the inputs, and of the right operator's text, which says what is admitted."""
    case = Case(planted.fault.op, planted.target, planted.dtype, workloads_of(planted.fault.op)[0], planted.fault.found_by)
    try:
        return content_of(_planted(planted.fault, case))
    except UolError as error:
        return content_of_refusal(error.message)


JUDGE = ("uol/conformance/planted_faults.py",)
STEPS: Steps[Planted, Breach] = Steps("planted_faults", Records(Breach), str, found, _content, JUDGE, together=64)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m uol.conformance.planted_faults", description=__doc__)
    parser.add_argument("--target", default=",".join(registry.names()), help="targets, by commas")
    parser.add_argument("--op", help="operators, by commas; all with faults else")
    parser.add_argument("--dtype", default="f32", help="the type")
    add_run_options(parser)
    options = parser.parse_args(arguments)
    known = tuple(f for f in faults() if options.op is None or f.op in options.op.split(","))
    if not known:
        raise UolError(f"there are no faults of {options.op}", hint="conformance/planted_faults.toml has them")
    missed = 0
    for target in options.target.split(","):
        chosen = [f for f in known if f.where == "text" or has_twin(target) and _is_in_kernel(f, target, options.dtype)]
        breached = [*results_of(STEPS, [Planted(fault, target, options.dtype) for fault in chosen], options)]
        for each in breached:
            fault, how = each.fault, "refused" if each.refused else each.fault.found_by
            said = each.refused or each.reason or "MISSED"
            print(f"{target:8} {how:9} {fault}, in its {fault.where}: {said}", flush=True)
        refused = sum(bool(each.refused) for each in breached)
        lost = sum(not (each.refused or each.reason) for each in breached)
        missed += lost
        print(f"{target}: {len(breached) - refused - lost} of {len(breached) - refused} found, {refused} refused")
    return 1 if missed else 0


if __name__ == "__main__":
    run_command(main)
