"""Faults planted in operators' texts and in emitted kernels, and what finds each: inputs of a kind, or a quick check's cases.

    breaches(faults_in("text"), "cpu", "f32")     why each breaks the right operator's contract on the inputs meant for it
    quick_breaches(faults_in("quick"), "cuda")    the same on the cases of `uol conform --quick`

planted_faults.toml, planted_kernel_faults.toml and planted_precision_faults.toml have the faults.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from typing import Any, Literal, cast

from uol.codegen.backend import Module
from uol.compilation.pipeline import module_of
from uol.compiler import Compiled
from uol.conformance.cases.case_matrix import first_cases
from uol.conformance.cases.truth import Truth
from uol.conformance.cases.twin_check import Outcome, Prepared, compare_results, outcomes, prepare
from uol.conformance.cases.verdict import Case
from uol.ir.errors import RefusalError, UolError
from uol.ir.syntax.parser import parse
from uol.ir.syntax.printer import print_op
from uol.ir.syntax.surface import Op
from uol.operators.registry import find_operator
from uol.ops.inputs import Kind
from uol.ops.workloads import Workload, read_cases, workloads_of

Where = Literal["text", "kernel", "quick", "precision"]
"""In an operator's text; in an emitted kernel, found by one kind of inputs, by a quick check, or a fault of precision."""

FILES: dict[Where, tuple[str, str]] = {
    "text": ("planted_faults.toml", "fault"),
    "kernel": ("planted_kernel_faults.toml", "kernel"),
    "quick": ("planted_kernel_faults.toml", "quick"),
    "precision": ("planted_precision_faults.toml", "precision"),
}

MACROS = """\
#define PLANTED_BITS(v) __builtin_bit_cast(unsigned, v)
#define PLANTED_TRUNCATED(v, bits) \\
  ([](float at) { return __builtin_bit_cast(float, PLANTED_BITS(at) & ~((1u << (bits)) - 1)); }(v))
#define PLANTED_ROUND(v, bits) \\
  PLANTED_TRUNCATED(__builtin_bit_cast(float, [](float at) { \\
    return PLANTED_BITS(at) + ((1u << ((bits) - 1)) - 1) + (PLANTED_BITS(at) >> (bits) & 1); }(v)), bits)
#define PLANTED_NOISE(v, error) \\
  ([](float at) { return at * (1.0f + (PLANTED_BITS(at) * 2654435761u >> 31 ? (error) : -(error))); }(v))
"""
"""What planted texts of kernels may call: planted_precision_faults.toml says what each means."""


@dataclass(frozen=True, slots=True)
class Fault:
    """`text` (a regular expression with `pattern`) of an operator, or of its emitted kernel, replaced by `planted`; `found_by`
    is a kind of inputs on which it breaks the contract, and where `unseen` holds, random inputs keep it. `target` and `dtype`
    are those that it is planted for; any, where they are empty."""

    op: str
    fault: str
    text: str
    planted: str
    found_by: Kind
    unseen: bool = False
    pattern: bool = False
    target: str = ""
    dtype: str = ""
    where: Where = "text"

    def __str__(self) -> str:
        return f"{self.op}: {self.fault}"


@cache
def faults_in(where: Where) -> tuple[Fault, ...]:
    """The faults of one kind."""
    name, table = FILES[where]
    return tuple(Fault(**each, where=where) for each in cast(list[dict[str, Any]], _read(name)[table]))


def faults() -> tuple[Fault, ...]:
    """All faults that one kind of inputs finds."""
    return (*faults_in("text"), *faults_in("kernel"), *faults_in("precision"))


def breaches(chosen: Sequence[Fault], target: str, dtype: str, kind: Kind | None = None) -> list[str]:
    """What is wrong with each operator that has a fault in it, on the kind that finds it, or all on another kind; empty where
    the fault is missed, be it at one size of several. Raises RefusalError where the target has no kernel for a faulty text."""
    cases = [_cases(fault, target, dtype, kind) for fault in chosen]
    ready = [[_planted(fault, case) for case in each] for fault, each in zip(chosen, cases, strict=True)]
    done = outcomes([one for each in ready for one in each])
    reasons = [[_breach(one, next(done)) for one in each] for each in ready]
    return [each[0] if all(each) else "" for each in reasons]


def quick_breaches(chosen: Sequence[Fault], target: str, dtype: str) -> list[str]:
    """What the cases of a quick check show of each operator that has a fault in it: a finding of the twin, or what is wrong
    with a result; empty where they pass. Raises UolError where no case's kernel holds what a fault replaces."""
    ready = [prepared_cases(fault, target, dtype, quick=True) for fault in chosen]
    done = outcomes([one for each in ready for one in each])
    reasons = [[_seen(one, next(done)) for one in each] for each in ready]
    return [next(filter(None, each), "") for each in reasons]


def refusal(fault: Fault, target: str, dtype: str) -> str:
    """Why a target has no kernel for a faulty text; empty where it has one."""
    try:
        _planted(fault, _cases(fault, target, dtype)[0])
    except RefusalError as error:
        return error.message
    return ""


def prepared_cases(fault: Fault, target: str, dtype: str, *, quick: bool) -> list[Prepared]:
    """The cases that have to find a fault, with the fault in them; with `quick`, those of a quick check."""
    if quick:
        return _where_it_is(fault, first_cases(fault.op, target, fault.dtype or dtype))
    return [_planted(fault, case) for case in _cases(fault, target, dtype)]


def applies(fault: Fault, target: str, dtype: str) -> bool:
    """Does what is compiled for a target hold what a fault replaces?"""
    if fault.where == "text":
        return True
    if fault.target and target not in fault.target.split(","):
        return False
    cases = first_cases(fault.op, target, dtype) if fault.where == "quick" else _cases(fault, target, dtype)
    return any(re.search(_pattern(fault), _kernel(case)) for case in cases)


def altered(fault: Fault) -> Op:
    """The operator with the fault in its text."""
    (op,) = parse(_replaced(print_op(find_operator(fault.op)), fault), f"<{fault}>")
    return op


def _read(name: str) -> dict[str, Any]:
    return tomllib.loads(files("uol.conformance").joinpath(name).read_text(encoding="utf-8"))


def _cases(fault: Fault, target: str, dtype: str, kind: Kind | None = None) -> list[Case]:
    """Those that have to find a fault: the representative workload, or a fault of precision's long sums."""
    workloads: tuple[Workload, ...] = workloads_of(fault.op)[:1]
    if fault.where == "precision":
        long = _read(FILES["precision"][0])["long"].get(fault.op)
        workloads = workloads if long is None else read_cases(fault.op, {"cases": long}).workloads
    return [Case(fault.op, target, fault.dtype or dtype, each, kind or fault.found_by) for each in workloads]


def _where_it_is(fault: Fault, cases: Sequence[Case]) -> list[Prepared]:
    """The cases with the fault, of a fault in kernels those whose kernels hold it."""
    if fault.where != "text":
        cases = [case for case in cases if re.search(_pattern(fault), _kernel(case))]
    if not cases:
        raise UolError(f"{fault}: `{fault.text}` is in no kernel of a quick check of {fault.op}")
    return [_planted(fault, case) for case in cases]


def _breach(prepared: Prepared, outcome: Outcome | UolError) -> str:
    """What is wrong with a result; findings of the twin are of the kernel, not of its results."""
    if isinstance(outcome, UolError):
        raise outcome
    truth = Truth()
    compared = compare_results(prepared, outcome, truth.admitted(prepared), truth.typical(prepared))
    return "" if compared.ok else compared.reason


def _seen(prepared: Prepared, outcome: Outcome | UolError) -> str:
    if isinstance(outcome, UolError):
        return str(outcome)
    return outcome.findings[0] if outcome.findings else _breach(prepared, outcome)


def _planted(fault: Fault, case: Case) -> Prepared:
    """A case with the faulty kernels in place of the right ones; what is admitted stays the right operator's."""
    right = prepare(case)
    request = right.compiled.request
    if fault.where == "text":
        request = replace(request, instance=replace(request.instance, op=altered(fault)))
    module = module_of(request)
    return replace(right, compiled=Compiled(request, module if fault.where == "text" else _edited(module, fault)))


def _kernel(case: Case) -> str:
    return prepare(case).compiled.module.device.text


def _edited(module: Module, fault: Fault) -> Module:
    text = _replaced(module.device.text, fault)
    return replace(module, device=replace(module.device, text=MACROS + text if "PLANTED_" in text else text))


def _pattern(fault: Fault) -> str:
    """What is replaced, as a regular expression; how a text is broken into lines does not count."""
    return fault.text if fault.pattern else re.sub(r"(\\\s)+", r"\\s+", re.escape(fault.text))


def _replaced(source: str, fault: Fault) -> str:
    """The source with every occurrence replaced."""
    found, count = re.subn(_pattern(fault), fault.planted if fault.pattern else lambda _: fault.planted, source)
    if not count:
        raise UolError(f"{fault}: `{fault.text}` is not in the {_PLACE[fault.where]} of {fault.op}")
    return found


_PLACE: dict[Where, str] = {"text": "text", "kernel": "kernel", "quick": "kernel", "precision": "kernel"}
