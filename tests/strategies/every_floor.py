"""One random operator on every floor: text, checker, interpreter, lowered specs, oracle, kernels. All must agree.

Floats agree where both lie within the interval that the accuracy contract admits; integers, truth values and places of
extrema agree exactly. Elements of which the contract says nothing (their rounding may overflow) are left out and counted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from kernel_ops import KernelCase
from spec_interpreter import ANY_DEVICE, EVERY_KIND, capability_of, run_graph

from uol.backends.twin import Job, execute_many
from uol.codegen.backend import Capability, Device, GroupSummary
from uol.codegen.lowering import lower
from uol.codegen.specs.nodes import Contract, KernelSpec, Reduce
from uol.codegen.specs.rewrites import as_reduce, pack_operand, split_epilogue
from uol.codegen.specs.traverse import steps_of
from uol.compiler import Compiled
from uol.compiler import compile as compile_for
from uol.conformance.accuracy.contracts import contract
from uol.conformance.accuracy.error_analysis import Enclosed, enclose
from uol.conformance.cases.memory_order import all_laid_out
from uol.conformance.cases.twin_check import compare_result
from uol.ir import instantiate, interpret, parse, print_op
from uol.ir.errors import ResourceError, UolError
from uol.ir.program.dtype_encoding import encode
from uol.ir.program.nodes import Program
from uol.ir.syntax.surface import Op
from uol.ir.types import is_float
from uol.operators.registry import catalogue


class Disagreement(AssertionError):
    """Two floors differ about an operator."""


@dataclass(frozen=True)
class Machine:
    """The part of a backend that lowering asks: what may be fused, and what becomes of a contraction."""

    name: str
    takes: Callable[[KernelSpec], bool] = lambda spec: True
    contractions: Callable[[Contract], tuple[KernelSpec, ...]] = lambda spec: (spec,)
    kinds: frozenset[type[KernelSpec]] = frozenset()

    @property
    def capability(self) -> Capability:
        return capability_of(self.kinds)

    def accepts(self, group: GroupSummary) -> bool:
        return self.takes(group.spec())

    def legalise(self, spec: KernelSpec, device: Device) -> tuple[KernelSpec, ...]:
        return self.contractions(spec) if isinstance(spec, Contract) else (spec,)


def packed(spec: Contract, k_last: bool) -> tuple[KernelSpec, ...]:
    """Both operands through workspaces of the accumulator's type."""
    first, contract = pack_operand(spec, "a", k_last=k_last, dtype=spec.acc_dtype)
    second, contract = pack_operand(contract, "b", k_last=k_last, dtype=spec.acc_dtype)
    return first, second, contract


def is_small(spec: KernelSpec) -> bool:
    """At most one value, and its store."""
    return len(steps_of(spec)) <= 2


MACHINES = (
    Machine("takes everything", kinds=EVERY_KIND),
    Machine("takes everything but scans, scatters and sorts"),
    Machine("fuses little", is_small, kinds=EVERY_KIND),
    Machine("fuses maps alone", lambda spec: not isinstance(spec, Contract | Reduce)),
    Machine("has bare products", contractions=split_epilogue),
    Machine("has no products", contractions=lambda spec: (as_reduce(spec),)),
    Machine("packs rows", contractions=lambda spec: packed(spec, True)),
    Machine("packs cols", contractions=lambda spec: packed(spec, False)),
)


@dataclass(frozen=True)
class Ready:
    """A case that the checker takes."""

    case: KernelCase
    op: Op
    program: Program
    scalars: Mapping[str, int | float]
    buffers: Mapping[str, np.ndarray]

    def admitted(self, target: str) -> Enclosed:
        return enclose(self.program, self.case.inputs, self.scalars, contract(target))

    def compiled(self, target: str) -> Compiled:
        case = self.case
        return compile_for(self.op, target, {"T": case.dtype}, case.dims, case.attrs, strides=case.strides)


def ready(case: KernelCase) -> Ready | None:
    """The case, or None where the checker refuses it (with a UolError that can print itself)."""
    try:
        (op,) = parse(case.text)
        if parse(print_op(op))[0] != op:
            raise Disagreement(f"print and parse\n{case}")
        fixed = {n: v for n, v in case.attrs.items() if isinstance(v, int)}
        program = instantiate(op, catalogue(), types={"T": case.dtype}, dims=case.dims, attrs=fixed)
    except UolError as error:
        if not str(error):
            raise Disagreement(f"an error that says nothing\n{case}") from error
        return None
    scalars = {s.name: case.attrs[s.name] for s in program.scalars}
    encoded = {t.name: encode(case.inputs[t.name], t.dtype) for t in program.by_role("in")}
    return Ready(case, op, program, scalars, all_laid_out(encoded, case.strides))


def meanings_agree(item: Ready) -> int:
    """Interpreter against the contract, lowered specs against both. Gives how many elements were compared."""
    case = item.case
    admitted = item.admitted("cpu")
    golden = interpret(item.program, case.inputs, item.scalars)
    count = require(item, "interpreter", golden, admitted)
    done: set[tuple[KernelSpec, ...]] = set()
    for machine in MACHINES:
        graph = lower(item.program, machine, case.strides, device=ANY_DEVICE)  # type: ignore[arg-type]
        if graph.specs in done:
            continue
        done.add(graph.specs)
        try:
            results = run_graph(graph, case.inputs, item.scalars)
        except AssertionError as error:
            raise Disagreement(f"specs of a machine that {machine.name}: {error}\n{case}") from error
        require(item, f"specs of a machine that {machine.name}", results, admitted)
    return count


def kernels_agree(item: Ready, target: str = "cpu") -> bool:
    """The oracle and the kernels on this machine; False where the target refuses the operator and says why."""
    from uol.backends.cpu.oracle import oracle

    try:
        compiled = item.compiled(target)
    except ResourceError:
        return False
    admitted = item.admitted(target)
    require_stored(item, f"oracle of {target}", oracle.run(compiled.module.graph, item.buffers, item.scalars), admitted)
    if target == "cpu":
        require_stored(item, target, compiled.run(item.buffers), admitted)
    return True


@dataclass(frozen=True)
class TwinRuns:
    """How many operators ran in a twin, how many the target refused, and what was wrong."""

    ran: int
    refused: int
    wrong: tuple[Exception, ...]


def twins_agree(items: Sequence[Ready], target: str) -> TwinRuns:
    """The checked twin on every case that the target does not refuse: no findings, and results within the contract. What
    the compiler raises, other than a refusal that says why, is wrong too."""
    compiled: list[tuple[Ready, Compiled]] = []
    wrong: list[Exception] = []
    for item in items:
        try:
            compiled.append((item, item.compiled(target)))
        except ResourceError:
            continue
        except Exception as error:  # the others are still worth a run
            wrong.append(Disagreement(f"{target}: {type(error).__name__}: {error}\n{item.case}"))
    runs = execute_many([Job(c.module, item.buffers, item.scalars) for item, c in compiled])
    for (item, _), run in zip(compiled, runs, strict=True):
        try:
            if run.findings:
                raise Disagreement(f"{target}: {run.findings[0]}\n{item.case}")
            require_stored(item, target, run.outputs, item.admitted(target))
        except Disagreement as error:
            wrong.append(error)
    return TwinRuns(len(compiled), len(items) - len(compiled), tuple(wrong))


def require(item: Ready, floor: str, results: Mapping[str, np.ndarray], admitted: Enclosed) -> int:
    """Results as values."""
    stored = {t.name: encode(results[t.name], t.dtype) for t in item.program.by_role("out")}
    return require_stored(item, floor, stored, admitted)


def require_stored(item: Ready, floor: str, results: Mapping[str, np.ndarray], admitted: Enclosed) -> int:
    """Results as buffers hold them. Gives how many elements were compared."""
    count = 0
    for tensor in item.program.by_role("out"):
        actual, owed = results[tensor.name], admitted
        if actual.shape != admitted[tensor.name].value.shape:
            raise Disagreement(f"{floor}: {tensor.name} has the shape {actual.shape}\n{item.case}")
        if is_float(tensor.dtype):
            known = said(admitted, tensor.name)
            actual = actual[known]
            owed = replace(admitted, results={tensor.name: admitted[tensor.name].map(lambda a, known=known: a[known])})
        comparison = compare_result(tensor, actual, owed)
        if not comparison.ok:
            raise Disagreement(f"{floor}: {tensor.name}: {comparison.reason}\n{item.case}")
        count += actual.size
    return count


def said(admitted: Enclosed, name: str) -> np.ndarray:
    """The elements about which the contract says something."""
    value, low, high = (np.asarray(getattr(admitted[name], side)) for side in ("value", "low", "high"))
    unbounded = (np.isinf(low) | np.isinf(high)) & (low != high)
    silent = (np.isnan(low) | np.isnan(high)) & ~np.isnan(value)
    return ~(unbounded | silent)
