"""One distinct layer of a network: its real inputs, what the contract admits, and the verdict on a target's result."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from uol.compilation.pipeline import program_of
from uol.compilation.request import Request, Target
from uol.compiler import Compiled
from uol.conformance.accuracy.comparison import Comparison, compare
from uol.conformance.accuracy.contracts import contract
from uol.conformance.accuracy.error_analysis import Enclosed, enclose
from uol.conformance.accuracy.interval import Array, Enclosure
from uol.conformance.accuracy.interval_shift import around
from uol.conformance.cases.agreement import Agreement, Run, Subject, agreements
from uol.conformance.paths.record import LayerResult, Status
from uol.conformance.paths.resnet50.network import Placed
from uol.ir.program.nodes import Program
from uol.ir.program.rounding import round_to
from uol.ops.references import reference


@dataclass(slots=True)
class LayerCase:
    """A configuration of a network with the inputs that its first layer gets; `names` are the layers that have it. The
    admitted values are computed once for all targets with one contract."""

    placed: Placed
    names: tuple[str, ...]
    dtype: str
    values: Mapping[str, Array]
    _admitted: dict[str, Enclosed] = field(default_factory=dict)
    _pytorch: Array | None = None
    _runs: list[Run] = field(default_factory=list)

    @staticmethod
    def of(placed: Placed, names: tuple[str, ...], dtype: str, inputs: Mapping[str, Array]) -> LayerCase:
        """Inputs are rounded to the element type."""
        values = {name: np.asarray(round_to(array.astype(np.float64), dtype)) for name, array in inputs.items()}
        return LayerCase(placed, names, dtype, values)

    def request(self, target: Target, layouts: Mapping[str, tuple[int, ...]]) -> Request:
        """This layer for a target, in the case's element type."""
        instance = self.placed.instance
        typed = replace(instance, types=dict.fromkeys(instance.types, self.dtype))
        return Request(typed, target, layouts)

    def admitted(self, program: Program, target: str) -> Enclosure:
        """What the target's contract admits for the result."""
        owed = contract(target, self.placed.layer.op)
        key = repr(replace(owed, target=""))
        if key not in self._admitted:
            self._admitted[key] = enclose(program, self.values, self.scalars(program), owed)
        return self._admitted[key]["y"]

    def scalars(self, program: Program) -> dict[str, int | float]:
        """The run-time attributes."""
        return {s.name: self.placed.instance.attrs[s.name] for s in program.scalars}

    def pytorch(self) -> Array:
        """The result by PyTorch in float64."""
        if self._pytorch is None:
            self._pytorch = reference(self.placed.layer.op, self.values, self.placed.layer.attrs)["y"]
        return self._pytorch

    def judge(
        self,
        compiled: Compiled,
        output: Array | None,
        findings: tuple[str, ...] = (),
        counts: Mapping[str, int] | None = None,
        twin_s: float = 0.0,
    ) -> LayerResult:
        """The verdict on a result."""
        target = compiled.request.target.name
        owed = self.admitted(program_of(compiled.request), compiled.request.target.backend.name)
        if output is None:
            return self.failure(target, "failed", "no result")
        if not findings:
            self._runs.append(Run(target, output))
        golden = compare(output, owed, self.dtype)
        independent = compare(output, around(self.pytorch(), owed, self.dtype), self.dtype, "PyTorch")
        status, reason = _status(golden, independent, findings)
        return LayerResult(
            target=target,
            op=self.placed.layer.op,
            layers=self.names,
            shape=self.placed.description,
            kernels=len(compiled.module.kernels),
            status=status,
            reason=reason,
            golden=golden,
            pytorch=independent,
            findings=findings,
            counts=dict(counts or {}),
            twin_s=twin_s,
        )

    def agreements(self) -> Iterator[Agreement]:
        """How the targets agree that were judged, each pair."""
        subject = Subject(self.placed.layer.op, self.dtype, f"{self.placed.layer.op} {self.placed.description}")
        for owed in list(self._admitted.values())[:1]:
            yield from agreements(subject, owed["y"].value, self.dtype, self._runs)

    def failure(self, target: str, status: Status, reason: str) -> LayerResult:
        """The verdict where there is no result."""
        return LayerResult(target, self.placed.layer.op, self.names, self.placed.description, 0, status, reason)


def _status(golden: Comparison, independent: Comparison, findings: tuple[str, ...]) -> tuple[Status, str]:
    if findings:
        return "findings", findings[0]
    if not golden.ok:
        return "breach", f"golden: {golden.reason}"
    return ("pass", "") if independent.ok else ("breach", f"PyTorch: {independent.reason}")
