"""One operator on one target, checked: text, program, kernels, twin; against golden value, reference and oracle.

    verdicts = check([Case("softmax", "hip", "f16", workloads_of("softmax")[0])])

Targets whose kernels have a twin run there, with all its checks; others run on this machine. The golden value and the
admitted interval come from the program alone, the reference from PyTorch, the oracle from the unscheduled kernel specs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from time import perf_counter
from zlib import crc32

import numpy as np

from uol.backends.cache.files import open_cache
from uol.backends.twin import Job, TwinRun, ensure_room, execute_many, kind_of
from uol.codegen.backend import Module
from uol.compilation.pipeline import module_of, program_of
from uol.compilation.request import Request, resolve_target
from uol.compiler import Compiled
from uol.conformance.accuracy.comparison import Comparison, compare, compare_order, compare_picks, held_to_typical
from uol.conformance.accuracy.error_analysis import Enclosed
from uol.conformance.accuracy.interval import Array
from uol.conformance.accuracy.interval_shift import around
from uol.conformance.cases.guard_pages import run_fenced
from uol.conformance.cases.memory_order import all_laid_out, repeated, strides_of
from uol.conformance.cases.open_sizes import opened
from uol.conformance.cases.recent import Recent
from uol.conformance.cases.refusals import refused
from uol.conformance.cases.truth import Truth, subject
from uol.conformance.cases.verdict import Case, Status, Verdict
from uol.conformance.gradients.cases import compare_with_autograd, fitting, gradient_inputs, with_stored_results
from uol.ir.errors import RefusalError, UolError
from uol.ir.program.dtype_encoding import encode
from uol.ir.program.nodes import Program, Tensor
from uol.ir.syntax.surface import Op
from uol.operators.registry import find_operator
from uol.ops.inputs import make_inputs
from uol.ops.references.gradients import forward_of

Progress = Callable[[int, int], None]
"""Called with the number of cases done and of all."""

BATCH = 48
"""Cases whose kernels are compiled together."""
_modules = Recent[Module](32)
"""By the folder of the cache and the key: cases of many sizes have one, where dims are arguments."""
_programs = Recent[Program](32)
"""Targets and kinds of inputs have one."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A case that is ready to run: its kernels, and its inputs as values and as buffers."""

    case: Case
    compiled: Compiled
    program: Program
    values: Mapping[str, Array]
    buffers: Mapping[str, Array]
    scalars: Mapping[str, float | int]

    @property
    def sizes(self) -> dict[str, int]:
        """Of the dims that its kernels take as arguments."""
        return {name: int(self.scalars[name]) for name in self.compiled.module.graph.dims}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What running a case gave: results by name, findings, counts; the seconds of a run in the twin."""

    outputs: Mapping[str, Array]
    findings: tuple[str, ...] = ()
    counts: Mapping[str, int] | None = None
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Examined:
    """A case with its verdict, and what was run; nothing of that where it was not."""

    verdict: Verdict
    prepared: Prepared | None = None
    outcome: Outcome | None = None
    truth: Truth | None = None


def check(cases: Sequence[Case], progress: Progress | None = None) -> list[Verdict]:
    """The verdict of every case, in order. Errors of the compiler are verdicts, not exceptions."""
    verdicts: list[Verdict] = []
    pending = iter(cases)
    while batch := list(islice(pending, BATCH)):
        verdicts += (e.verdict for e in examine(batch))
        if progress is not None:
            progress(len(verdicts), len(cases))
    return verdicts


def compiled_of(case: Case) -> tuple[Compiled, Program]:
    """The kernels of a case, and its program. Raises what the compiler raises."""
    instance, target = fitting(find_operator(case.op), case), resolve_target(case.target)
    whole = Request(instance, target)
    program = _programs.get(whole.program_key.digest, lambda: program_of(whole))
    layouts = strides_of(program, case.arrangement, instance.op)
    request = Request(instance, target, layouts, deterministic=case.deterministic, tf32=case.tf32)
    request = opened(request) if case.sizes == "open" else request
    cache = open_cache()
    module = _modules.get((cache.root, request.key("module").digest), lambda: module_of(request, cache))
    return Compiled(request, module), program


def prepare(case: Case) -> Prepared:
    """Program, kernels and inputs of a case. Raises what the compiler raises."""
    (compiled, program), forward = compiled_of(case), forward_of(case.op)
    instance, strides = fitting(find_operator(case.op), case), compiled.request.layouts
    scalars = {s.name: instance.attrs[s.name] for s in program.scalars}
    scalars |= {name: instance.flat_dims[name] for name in compiled.module.graph.dims}
    if has_twin(case.target):
        ensure_room(compiled.module, scalars)
    made = make_inputs(program, case.inputs, case.seed) if forward is None else gradient_inputs(case, forward, program)
    values = {n: repeated(v, strides.get(n)) for n, v in made.items()}
    encoded = {t.name: encode(values[t.name], t.dtype) for t in program.by_role("in")}
    return Prepared(case, compiled, program, values, all_laid_out(encoded, strides), scalars)


def judge(prepared: Prepared, outcome: Outcome, truth: Truth) -> Verdict:
    """The verdict on what a run gave."""
    case = prepared.case
    admitted = truth.admitted(prepared)
    golden = compare_results(prepared, outcome, admitted, truth.typical(prepared))
    oracle = compare_results(prepared, Outcome(truth.oracle(prepared)), admitted)
    independent = _reference(prepared, outcome, admitted, truth)
    status, reason = _status(golden, independent, oracle, outcome.findings)
    kernels, counts = len(prepared.compiled.module.kernels), outcome.counts or {}
    return Verdict(case, status, reason, golden, independent, oracle, outcome.findings, kernels, counts, outcome.seconds)


def examine(cases: Sequence[Case]) -> list[Examined]:
    """Cases whose kernels are compiled together, each with its verdict. What is true of a case is computed once for all the
    targets that it stands here with."""
    return examine_prepared([attempt(case) for case in cases])


def attempt(case: Case) -> Prepared | Verdict:
    """A case that is ready to run, or the verdict on one that its target refuses or that cannot be made ready."""
    try:
        return prepare(case)
    except RefusalError as error:
        return refused(case, error.message)
    except Exception as error:  # a defect of the compiler: the other cases are still worth their verdicts
        return _failed(case, error)


def examine_prepared(attempts: Sequence[Prepared | Verdict]) -> list[Examined]:
    """As `examine`, of cases that `attempt` has made ready."""
    found = {n: Examined(each) for n, each in enumerate(attempts) if isinstance(each, Verdict)}
    ready = {n: each for n, each in enumerate(attempts) if isinstance(each, Prepared)}
    truths: dict[str, Truth] = {}
    for number, outcome in zip(ready, outcomes(list(ready.values())), strict=True):
        prepared = ready[number]
        truth, started = truths.setdefault(subject(prepared.case), Truth()), perf_counter()
        try:
            if isinstance(outcome, UolError):
                raise outcome
            verdict = judge(prepared, outcome, truth)
            found[number] = Examined(replace(verdict, took_s=perf_counter() - started), prepared, outcome, truth)
        except Exception as error:  # a defect of a reference, or of ours: the other cases are still worth their verdicts
            found[number] = Examined(_failed(prepared.case, error))
    return [found[number] for number in range(len(attempts))]


def _failed(case: Case, error: Exception) -> Verdict:
    return Verdict(case, "failed", str(error) if isinstance(error, UolError) else f"{type(error).__name__}: {error}")


def outcomes(ready: Sequence[Prepared]) -> Iterator[Outcome | UolError]:
    """Runs everything: what has a twin in one go, the rest on this machine."""
    in_twin = [p for p in ready if has_twin(p.case.target)]
    jobs = [Job(p.compiled.module, p.buffers, p.scalars, shift=_shift(p.case)) for p in in_twin]
    runs = dict(zip(map(id, in_twin), execute_many(jobs), strict=True)) if jobs else {}
    for prepared in ready:
        if id(prepared) in runs:
            yield of_run(runs[id(prepared)])
            continue
        try:
            yield Outcome(*run_fenced(prepared.compiled, prepared.buffers))
        except UolError as error:
            yield error


def _shift(case: Case) -> int:
    """By how many elements the tensors lie behind an address for accesses of any size: by one in about every second case, and
    in every adversarial one."""
    return 1 if case.inputs == "mixed" else crc32(str(case).encode()) % 2


def of_run(run: TwinRun) -> Outcome:
    """A run in the twin as an outcome. Its counts say, of a machine with double buffers, how often the least used one of them
    was filled again."""
    least = {"least_reuse": min(run.reuses.values())} if run.reuses else {}
    return Outcome(run.outputs, tuple(map(str, run.findings)), {**run.counts, **least}, run.seconds)


def has_twin(target: str) -> bool:
    """Do the kernels of this target run in a twin?"""
    try:
        kind_of(target.partition(":")[0])
    except UolError:
        return False
    return True


def compare_results(prepared: Prepared, outcome: Outcome, admitted: Enclosed, typical: Enclosed | None = None) -> Comparison:
    """All results of a case as one comparison with what is admitted, and with what errors are as a rule: the first that
    fails, else the one nearest to its bound."""
    found = []
    for tensor in prepared.program.by_role("out"):
        comparison = compare_result(tensor, outcome.outputs.get(tensor.name), admitted)
        if typical is not None and comparison.ok:
            comparison = held_to_typical(comparison, outcome.outputs[tensor.name], typical[tensor.name], tensor.dtype)
        if not comparison.ok:
            return comparison
        found.append(comparison)
    return max(found, key=lambda c: c.share)


def compare_result(tensor: Tensor, actual: Array | None, admitted: Enclosed, owed_by: str = "golden") -> Comparison:
    """One result against what is admitted around the value that `owed_by` names."""
    if actual is None:
        return Comparison(False, f"there is no result {tensor.name}", 0)
    owed = admitted.results[tensor.name]
    if tensor.name in admitted.scores:
        return compare_picks(actual, owed.value, admitted.scores[tensor.name], tensor.dtype, owed_by)
    if tensor.name in admitted.orders:
        return compare_order(actual, owed.value, admitted.orders[tensor.name], tensor.dtype, owed_by)
    return compare(actual, owed, tensor.dtype, owed_by)


def _reference(prepared: Prepared, outcome: Outcome, admitted: Enclosed, truth: Truth) -> Comparison | None:
    """The result against PyTorch's in float64, within an interval of the same width around that; a gradient's against
    autograd's."""
    program, independent = prepared.program, truth.reference(prepared)
    if independent is None:
        return None
    forward = forward_of(prepared.case.op)
    if forward is None:
        return _within(program.by_role("out"), outcome, admitted, independent)
    for cotangents, lost in _by_autograd(prepared, forward, independent, truth):
        comparison = _against_autograd(prepared, outcome, admitted, cotangents, lost)
        if comparison.ok:
            break
    return comparison


def _by_autograd(
    prepared: Prepared, forward: Op, independent: Mapping[str, Array], truth: Truth
) -> Iterator[tuple[Mapping[str, Array], float]]:
    """Autograd's cotangents, each with an error of autograd's own: as they are; where that does not fit, moved by what the
    rounding of stored results does; and then with what autograd loses in float64."""
    yield independent, 0.0
    case, program = prepared.case, prepared.program
    stored = with_stored_results(independent, case, forward, program, prepared.values, prepared.scalars)
    yield stored, 0.0
    yield stored, truth.lost_by_reference(prepared)


def _against_autograd(
    prepared: Prepared, outcome: Outcome, admitted: Enclosed, cotangents: Mapping[str, Array], lost: float
) -> Comparison:
    """A gradient within a share of the largest cotangent, or within its contract around them, which is around the golden one
    where autograd has no number."""
    results = prepared.program.by_role("out")
    by_scale = compare_with_autograd(outcome.outputs, cotangents, results, prepared.values.values(), lost)
    known = {n: np.where(np.isfinite(own), own, admitted.results[n].value) for n, own in cotangents.items()}
    if by_scale.ok or not (by_contract := _within(results, outcome, admitted, known)).ok:
        return by_scale
    return by_contract  # where all of a gradient cancels, its scale says nothing


def _within(
    results: Sequence[Tensor], outcome: Outcome, admitted: Enclosed, independent: Mapping[str, Array]
) -> Comparison:
    """The results within what is admitted, around other values: the first that is not, or the last."""
    for tensor in results:
        moved = _moved(tensor, independent[tensor.name], admitted)
        comparison = compare_result(tensor, outcome.outputs.get(tensor.name), moved, "reference")
        if not comparison.ok:
            return comparison
    return comparison


def _moved(tensor: Tensor, value: Array, admitted: Enclosed) -> Enclosed:
    """What is admitted around another value of one result."""
    owed = admitted.results[tensor.name]
    return Enclosed({tensor.name: around(value, owed, tensor.dtype)}, admitted.scores, admitted.orders)


def _status(
    golden: Comparison, independent: Comparison | None, oracle: Comparison, findings: tuple[str, ...]
) -> tuple[Status, str]:
    if findings:
        return "findings", findings[0]
    for name, comparison in (("golden", golden), ("reference", independent), ("oracle", oracle)):
        if comparison is not None and not comparison.ok:
            return "breach", f"{name}: {comparison.reason}"
    return "pass", ""
