"""A path's training step on every target.

    this machine   the values at the size "check" within the dual benchmark against PyTorch; uol's operators alone
    every target   each distinct kernel of the size "kernels", forward and backward, on the values of a run
    the twins      the narrow step with an update of its parameters, kernel to kernel, against float64
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

from uol.backends import registry
from uol.backends.twin.machine import processors
from uol.compilation.request import resolve_target
from uol.conformance.cases.machine import machine_facts
from uol.conformance.cases.twin_check import has_twin
from uol.conformance.cases.verdict import Verdict
from uol.conformance.paths.draw import Draw, DrawnPath, Size, Values, distance, sides_of, typical_errors
from uol.conformance.paths.emulation import Emulation, build_ahead
from uol.conformance.paths.kernels import KernelCase, check_calls, distinct_calls
from uol.conformance.paths.record import Check, LayerResult, PathOptions, PathReport, Progress
from uol.conformance.paths.recorded import Run, recorded
from uol.ir.errors import UolError
from uol.ops import text as ops

NARROW_DRAWS = 3
"""Of the narrow size."""
LEARNING_RATE = 0.25
"""Of the update on the twins: a power of two, so that the update rounds once."""


def check_steps(name: str, path: DrawnPath, options: PathOptions, progress: Progress) -> PathReport:
    """The report of a path's training step."""
    started = time.perf_counter()
    targets = tuple(resolve_target(t).name for t in options.targets or registry.names())
    checked = _Steps(name, path, options, targets, progress)
    for dtype in options.dtypes:
        if options.kernel is None:
            checked.values(dtype)
        checked.kernels(dtype)
    if options.kernel is None:
        checked.whole_steps()
    facts = {"targets": ", ".join(targets), "element types of the step": ", ".join(options.dtypes), **machine_facts()}
    facts["twin runs of the step"] = f"{checked.twin_s:.0f} s of processes, {processors()} at a time, builds not counted"
    return PathReport(name, tuple(checked.checks), tuple(checked.layers), facts, time.perf_counter() - started)


@dataclass
class _Steps:
    """A path's step under check. `twin_s`: the seconds of all processes of the twins, so far."""

    name: str
    path: DrawnPath
    options: PathOptions
    targets: tuple[str, ...]
    progress: Progress
    checks: list[Check] = field(default_factory=list)
    layers: list[LayerResult] = field(default_factory=list)
    twin_s: float = 0.0

    def values(self, dtype: str) -> None:
        """Results and gradients beside PyTorch's: each at the size "check"; of the narrow size, whose values are few, all
        together."""
        what = f"{dtype} values on this machine"
        self.progress(what, 0, 1)
        self.checks.append(self._narrow_values(dtype) if self.options.quick else self._values(dtype))
        self.progress(what, 1, 1)

    def _values(self, dtype: str) -> Check:
        numbers = range(self.path.DRAWS[dtype])
        draws = (self._draw("check", dtype, number) for number in numbers)  # one at a time: they are large
        found = typical_errors(draws, dtype, self.path.LEVEL, self.path.alike)
        beyond = [f"{value}: {dual.detail}" for value, dual in found.items() if not dual.ok]
        worst = max(found, key=lambda value: found[value].rms_ratio)
        detail = "; ".join(beyond) or f"of {len(found)} values {worst} is worst: {found[worst].detail}"
        return Check(f"results and gradients at the size 'check', {dtype}, beside PyTorch's", not beyond, detail)

    def _narrow_values(self, dtype: str) -> Check:
        draws = [sides_of(self._draw("narrow", dtype, number)) for number in range(NARROW_DRAWS)]
        found = [distance(sides, dtype, self.path.LEVEL) for sides in draws]
        detail = f"{len(draws[0][0])} values together, by draw: {'; '.join(map(str, found))}"
        ok = all(each.ok for each in found)
        return Check(f"results and gradients at the size 'narrow', {dtype}, beside PyTorch's", ok, detail)

    def kernels(self, dtype: str) -> None:
        """Each distinct kernel of a step on every target; or the chosen call's."""
        run = recorded(self._draw("narrow" if self.options.quick else "kernels", dtype).ours)
        self.checks.append(_alone(run, dtype))
        cases = [case for case in distinct_calls(run.calls) if self.options.kernel in (None, *case.numbers)]
        if not cases:
            raise UolError(f"{self.name} has no call {self.options.kernel}", hint=f"its step has {len(run.calls)}")
        for target in self.targets:
            verdicts = check_calls(cases, target, partial(self.progress, f"{dtype} kernels on {target}"))
            self.layers += [self._layer(case, verdict, dtype) for case, verdict in zip(cases, verdicts, strict=True)]
            self.twin_s += sum(verdict.seconds for verdict in verdicts)

    def whole_steps(self) -> None:
        """The narrow step in f32 in each twin."""
        twins = [t for t in self.targets if has_twin(t)]
        for number, target in enumerate(twins):
            self.progress("whole steps in the twins", number, len(twins))
            self.checks.append(self._whole_step(target))
        self.progress("whole steps in the twins", len(twins), len(twins))

    def _whole_step(self, target: str) -> Check:
        """The narrow step in f32, every operator in the twin, and the update of the parameters."""
        draw = self._draw("narrow", "f32")
        try:
            build_ahead(distinct_calls(recorded(lambda: with_update(draw, draw.ours())).calls), target)
            with Emulation(target) as emulation:
                found = with_update(draw, draw.ours())
        except UolError as error:
            return Check(f"a whole step in the twin of {target}", False, str(error))
        self.twin_s += emulation.seconds
        theirs, golden = (_updated(draw, values) for values in (draw.theirs(), draw.golden()))
        judged = distance((found, theirs, golden), "f32", self.path.LEVEL)
        findings = "; ".join(emulation.findings[:3])
        name = f"a whole step in the twin of {target}, {emulation.kernels} kernels (emulated)"
        return Check(name, judged.ok and not findings, findings or f"{len(golden)} values together are {judged}")

    def _draw(self, size: Size, dtype: str, number: int = 0) -> Draw:
        return self.path.draw(size, dtype, self.options.seed + number)

    def _layer(self, case: KernelCase, verdict: Verdict, dtype: str) -> LayerResult:
        """A kernel's verdict as a row of the report; what failed says how to see it again."""
        again = f"again: {self._command(case, verdict, dtype)}"
        return LayerResult(
            target=verdict.case.target,
            op=case.call.op,
            layers=tuple(f"{dtype} {place}" for place in case.places),
            shape=_shape(case),
            kernels=verdict.kernels,
            status=verdict.status,
            reason=f"{verdict.reason}\n  {again}" if verdict.state == "failed" else verdict.reason,
            golden=verdict.golden,
            pytorch=verdict.reference,
            findings=verdict.findings,
            counts=verdict.counts,
            twin_s=verdict.seconds,
        )

    def _command(self, case: KernelCase, verdict: Verdict, dtype: str) -> str:
        """The one that checks this kernel alone."""
        chosen = f"--path {self.name} --target {verdict.case.target} --dtype {dtype} --kernel {case.numbers[0]}"
        return f"uol conform {chosen} --seed {self.options.seed}{' --quick' if self.options.quick else ''}"


def _alone(run: Run, dtype: str) -> Check:
    """Is nothing of PyTorch's computed with?"""
    found = ", ".join(sorted(run.foreign)) or f"{len(run.calls)} calls"
    return Check(f"uol's operators alone, {dtype}", not run.foreign, found)


def kernels_of(path: DrawnPath, dtype: str, size: Size = "kernels", seed: int = 0) -> tuple[KernelCase, ...]:
    """The distinct calls of a training step with its update."""
    draw = path.draw(size, dtype, seed)
    return distinct_calls(recorded(lambda: with_update(draw, draw.ours())).calls)


def with_update(draw: Draw, values: Values) -> Values:
    """The values of a step, and each parameter after an update by its gradient."""
    new = {f"new {n}": ops.sgd(p.detach(), values[n], lr=LEARNING_RATE) for n, p in draw.parameters.items()}
    return {**values, **new}


def _updated(draw: Draw, values: Values) -> Values:
    """The same by PyTorch, in the type of the gradients."""
    new = {f"new {n}": p.detach().to(values[n].dtype) - LEARNING_RATE * values[n] for n, p in draw.parameters.items()}
    return {**values, **new}


def _shape(case: KernelCase) -> str:
    """`2x64x8x8, 64x64x3x3 -> 2x64x8x8, pad 1`."""
    sizes = [["x".join(map(str, t.shape)) or "1" for t in tensors] for tensors in (case.call.inputs, case.call.results)]
    inputs, results = map(", ".join, sizes)
    given: Sequence[str] = [f", {name} {value}" for name, value in case.call.options.items() if value is not None]
    return f"{inputs} -> {results}{''.join(given)}"
