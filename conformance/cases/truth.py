"""What is true of a case whatever the target: admitted values, the reference's results, the oracle's; each computed once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from uol.backends import registry
from uol.codegen.specs.graph import KernelGraph
from uol.conformance.accuracy.contracts import Contract, contract
from uol.conformance.accuracy.error_analysis import Enclosed, enclose
from uol.conformance.accuracy.interval import Array
from uol.conformance.cases.verdict import Case
from uol.ops.references import has_reference, reference
from uol.ops.wide_inputs import sums_of

ROUNDINGS = 4
"""How much more than its own error in float32 says a float64 result may lose: two roundings may cancel in one and not in the
other."""

DRAWN = ("random", "wide")
"""Kinds of inputs whose roundings are independent in the mean, as typical errors presume."""

if TYPE_CHECKING:
    from uol.conformance.cases.twin_check import Prepared

Results = Mapping[str, Array]


@dataclass(slots=True)
class Truth:
    """Of one case: one operator, its types, sizes and inputs. Targets with equal contracts admit the same values, and those
    with equal kernel specs have one oracle. `independent`: the reference's results, where whoever made the case has them."""

    independent: Results | None = None
    _admitted: dict[str, Enclosed] = field(default_factory=dict)
    _typical: dict[str, Enclosed] = field(default_factory=dict)
    _reference: list[Results] = field(default_factory=list)
    _oracles: list[tuple[KernelGraph, Results]] = field(default_factory=list)

    def admitted(self, prepared: Prepared) -> Enclosed:
        """What the target's contract admits."""
        owed = _owed(prepared.case)
        key = repr(replace(owed, target=""))
        if key not in self._admitted:
            self._admitted[key] = enclose(prepared.program, prepared.values, prepared.scalars, owed)
        return self._admitted[key]

    def typical(self, prepared: Prepared) -> Enclosed | None:
        """The admitted values with the error that sums have as a rule; None where there is no sum of floats, and on inputs
        whose roundings may lean to one side: those of factors in TF32 do on wide ones, which all lose the same."""
        owed = _owed(prepared.case).as_a_rule()
        drawn = DRAWN[:1] if owed.is_tf32 else DRAWN
        if prepared.case.inputs not in drawn or not sums_of(prepared.program).terms:
            return None
        key = repr(replace(owed, target=""))
        if key not in self._typical:
            self._typical[key] = enclose(prepared.program, prepared.values, prepared.scalars, owed)
        return self._typical[key]

    def reference(self, prepared: Prepared) -> Results | None:
        """The results by PyTorch in float64; None where the operator has no reference."""
        case = prepared.case
        if self.independent is not None:
            return self.independent
        if not has_reference(case.op):
            return None
        if not self._reference:
            names = tuple(t.name for t in prepared.program.by_role("out"))
            first = prepared.program.by_role("in")[0].dtype
            self._reference.append(reference(case.op, prepared.values, case.workload.attrs, results=names, dtype=first))
        return self._reference[0]

    def lost_by_reference(self, prepared: Prepared) -> float:
        """What PyTorch's results lose in float64, where terms cancel: as many roundings as in float32, each 2^-29 as large."""
        case, exact = prepared.case, self.reference(prepared)
        if exact is None or self.independent is not None:
            return 0.0
        narrow = reference(case.op, prepared.values, case.workload.attrs, precision="f32", results=tuple(exact))
        with np.errstate(invalid="ignore"):
            lost = [np.nan_to_num(np.abs(narrow[name] - value), posinf=0.0) for name, value in exact.items()]
        return ROUNDINGS * 2.0**-29 * max(float(np.max(each, initial=0.0)) for each in lost)

    def oracle(self, prepared: Prepared) -> Results:
        """The results of the kernel specs as unscheduled loops, through LLVM."""
        from uol.backends.cpu.oracle import oracle

        graph = prepared.compiled.module.graph
        for known, results in self._oracles:
            if known == graph:
                return results
        results = oracle.run(graph, prepared.buffers, prepared.scalars)
        self._oracles.append((graph, results))
        return results


def _owed(case: Case) -> Contract:
    """The contract of the case's target; that of TF32 where the case allows it and the target has it."""
    target = case.target.partition(":")[0]
    owed = contract(target, case.op)
    return owed.in_tf32() if case.tf32 and registry.get(target).capability.tf32 else owed


def subject(case: Case) -> str:
    """What cases that differ in their target alone have in common."""
    return f"{case.op} {case.dtype} {case.workload} {case.inputs} {case.arrangement} {case.seed} {case.sizes}"
