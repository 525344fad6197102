"""The kernels of a recorded run on another target: every distinct call, with the values that it had in the run.

    cases = distinct_calls(recorded(step).calls)
    verdicts = check_calls(cases, ["cuda", "hip", "ascendc"])

Two calls are one kernel where operator, types, sizes, memory layout and options agree. Results are held against the golden
value, the oracle and PyTorch's operator in float64; of a gradient, against PyTorch's autograd on the forward call that the
gradient belongs to, where the run has it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import torch

from uol.backends.twin import ensure_room
from uol.compilation.pipeline import module_of, program_of
from uol.compilation.request import Request, Target, resolve_target
from uol.compiler import Compiled
from uol.conformance.accuracy.interval import Array
from uol.conformance.cases.memory_order import all_laid_out
from uol.conformance.cases.refusals import refused
from uol.conformance.cases.truth import Truth
from uol.conformance.cases.twin_check import Prepared, has_twin, judge, outcomes
from uol.conformance.cases.verdict import Case, Verdict
from uol.conformance.paths.recorded import Call
from uol.ir.errors import RefusalError, UolError
from uol.ir.library import GRADIENT, SAVING
from uol.ir.program.dtype_encoding import encode
from uol.ops.references import has_reference, reference
from uol.ops.references.gradients import forward_of
from uol.ops.workloads import Workload

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class KernelCase:
    """A call that stands for those of its run with these `numbers`, from 1. `forward`: the call that it is the gradient of, if
    it is one's."""

    call: Call
    numbers: tuple[int, ...]
    forward: Call | None = None
    truth: Truth = field(default_factory=Truth)

    def request(self, target: Target) -> Request:
        """What has to be compiled for a target."""
        return self.call.operator.request(self.call.inputs, self.call.options, target)

    def values(self) -> dict[str, Array]:
        """The inputs by name, as float64 (or integers), whatever their type."""
        return dict(zip(self.call.operator.names, self.call.values(), strict=True))

    @property
    def places(self) -> tuple[str, ...]:
        """Where it comes in the run."""
        return tuple(f"call {number}" for number in self.numbers)

    @property
    def name(self) -> str:
        """The operator's; of a gradient for some of the inputs, the one of the whole gradient."""
        return self.call.op if self.forward is None else self.forward.op.removesuffix(SAVING) + GRADIENT


def distinct_calls(calls: Sequence[Call]) -> tuple[KernelCase, ...]:
    """The calls of a run that need kernels of their own, in order, each with the places where it comes."""
    groups: dict[object, list[int]] = {}
    for number, call in enumerate(calls):
        groups.setdefault(_key(call), []).append(number)
    return tuple(
        KernelCase(calls[each[0]], tuple(number + 1 for number in each), _forward(calls[each[0]], calls))
        for each in groups.values()
    )


def check_calls(cases: Sequence[KernelCase], target: str, progress: Progress) -> list[Verdict]:
    """The verdict on every case on a target: in its twin, or on this machine. Errors of the compiler are verdicts."""
    found: dict[int, Verdict] = {}
    ready: dict[int, Prepared] = {}
    for number, case in enumerate(cases):
        try:
            ready[number] = prepare(case, resolve_target(target))
        except RefusalError as error:
            found[number] = refused(_case(case, case.request(resolve_target(target))), error.message)
        progress(len(ready) + len(found), 2 * len(cases))
    for number, outcome in zip(ready, outcomes(list(ready.values())), strict=True):
        if isinstance(outcome, UolError):
            raise outcome
        found[number] = judge(ready[number], outcome, truth_of(cases[number], ready[number]))
        progress(len(cases) + len(found), 2 * len(cases))
    return [found[number] for number in range(len(cases))]


def prepare(case: KernelCase, target: Target) -> Prepared:
    """Kernels and inputs of a call. Raises what the compiler raises."""
    request = case.request(target)
    program = program_of(Request(request.instance, target))
    compiled = Compiled(request, module_of(request))
    scalars = {s.name: request.instance.attrs[s.name] for s in program.scalars}
    if has_twin(target.backend.name):
        ensure_room(compiled.module, scalars)
    values = case.values()
    encoded = {t.name: encode(values[t.name], t.dtype) for t in program.by_role("in")}
    buffers = all_laid_out(encoded, request.layouts)
    return Prepared(_case(case, request), compiled, program, values, buffers, scalars)


def truth_of(case: KernelCase, prepared: Prepared) -> Truth:
    """What is true of a call, with PyTorch's results for it where there are such."""
    if case.truth.independent is None:
        case.truth.independent = _independent(case, prepared)
    return case.truth


def _case(case: KernelCase, request: Request) -> Case:
    instance = request.instance
    types = ",".join(f"{name}={dtype}" for name, dtype in instance.types.items())
    given = attributes_given(case.call)
    return Case(case.name, request.target.name, types, Workload(case.call.op, dict(instance.flat_dims), given))


def attributes_given(call: Call) -> dict[str, int | float]:
    """The attributes that the call gave."""
    own = call.operator
    return {n: v for n, v in call.options.items() if v is not None and n not in own.options}


def _independent(case: KernelCase, prepared: Prepared) -> Mapping[str, Array] | None:
    """The results by PyTorch in float64. None of an operator without a reference, and of a gradient whose forward is not in
    the run."""
    names = tuple(t.name for t in prepared.program.by_role("out"))
    if case.forward is None:
        if not has_reference(case.name) or forward_of(case.name) is not None:
            return None
        first = prepared.program.by_role("in")[0].dtype
        return reference(case.name, prepared.values, attributes_given(case.call), results=names, dtype=first)
    forward = forward_of(case.name)
    if forward is None or not has_reference(forward.name):
        return None
    inputs = dict(zip((p.name for p in forward.params), case.forward.values(), strict=True))
    every = tuple(f"d{name}" for name in forward.float_inputs)
    found = reference(case.name, {**prepared.values, **inputs}, attributes_given(case.forward), results=every)
    return {name: found[name] for name in names}


def _forward(call: Call, calls: Sequence[Call]) -> Call | None:
    """The forward call that a gradient belongs to: one of its operator that shares with it the tensors of one name."""
    own = call.operator
    named = dict(zip(own.names, map(_place, call.inputs), strict=True))
    for other in calls:
        if other is call or not call.op.startswith(other.op.removesuffix(SAVING) + GRADIENT):
            continue
        forward = other.operator
        names = (*forward.names, *(r.name for r in forward.op.results))
        known = dict(zip(names, (*other.inputs, *other.results), strict=False))
        shared = named.keys() & known.keys()
        if shared and all(named[name] == _place(known[name]) for name in shared):
            return other
    return None


def _key(call: Call) -> object:
    forms = tuple((x.dtype, tuple(x.shape), x.stride()) for x in call.inputs)
    return call.op, forms, tuple(sorted((n, str(v)) for n, v in call.options.items()))


def _place(x: torch.Tensor) -> tuple[object, ...]:
    return x.data_ptr(), tuple(x.shape), x.stride()
