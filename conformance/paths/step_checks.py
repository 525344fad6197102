"""A path's training step on every target.

this machine   the values at the size "check" within the dual benchmark against PyTorch; uol's operators alone
every target   each distinct kernel of the size "kernels", forward and backward, on the values of a run
the twins      the narrow step with an update of its parameters, kernel to kernel, against float64
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from functools import partial

from uol import ops
from uol.backends import registry
from uol.compilation.request import resolve_target
from uol.conformance.accuracy.dual import Dual
from uol.conformance.cases.machine import machine_facts
from uol.conformance.cases.twin_check import has_twin
from uol.conformance.cases.verdict import Verdict
from uol.conformance.paths.draw import Draw, DrawnPath, Size, Values, distance, typical_errors
from uol.conformance.paths.emulation import Emulation
from uol.conformance.paths.kernels import KernelCase, check_calls, distinct_calls
from uol.conformance.paths.record import Check, LayerResult, PathOptions, PathReport, Progress
from uol.conformance.paths.recorded import recorded
from uol.ir.errors import UolError

NARROW_DRAWS = 24
"""Of the narrow size, whose values are few."""
LEARNING_RATE = 0.25
"""Of the update on the twins: a power of two, so that the update rounds once."""


def check_steps(name: str, path: DrawnPath, options: PathOptions, progress: Progress) -> PathReport:
    """The report of a path's training step."""
    started = time.perf_counter()
    targets = [resolve_target(t).name for t in options.targets or registry.names()]
    twins = [t for t in targets if has_twin(t.partition(":")[0])]
    checks = list(_values(path, "narrow" if options.quick else "check", options, progress))
    draw = path.draw("narrow" if options.quick else "kernels", options.dtype, options.seed)
    run = recorded(draw.ours)
    checks.append(Check("uol's operators alone", not run.foreign, ", ".join(sorted(run.foreign)) or f"{len(run.calls)} calls"))
    cases = distinct_calls(run.calls)
    layers: list[LayerResult] = []
    for target in targets:
        verdicts = check_calls(cases, target, partial(progress, f"kernels on {target}"))
        layers += [_layer(case, verdict) for case, verdict in zip(cases, verdicts, strict=True)]
    for number, target in enumerate(twins):
        progress("whole steps in the twins", number, len(twins))
        checks.append(_whole_step(path, target, options))
    facts = {"targets": ", ".join(targets), "element type": options.dtype, **machine_facts()}
    return PathReport(name, tuple(checks), tuple(layers), facts, time.perf_counter() - started)


def _values(path: DrawnPath, size: Size, options: PathOptions, progress: Progress) -> Iterator[Check]:
    count = NARROW_DRAWS if size == "narrow" else 1
    progress("values on this machine", 0, 1)
    draws = [path.draw(size, options.dtype, options.seed + number) for number in range(count)]
    found = typical_errors(draws, options.dtype, path.LEVEL)
    progress("values on this machine", 1, 1)
    yield _verdict(f"results and gradients at the size {size!r}, {options.dtype}, beside PyTorch's", found)


def _verdict(name: str, found: dict[str, Dual]) -> Check:
    """All values as one check: those beyond their limits, or the one with the highest ratio."""
    beyond = [f"{value}: {dual.detail}" for value, dual in found.items() if not dual.ok]
    worst = max(found, key=lambda value: found[value].rms_ratio)
    return Check(name, not beyond, "; ".join(beyond) or f"of {len(found)} values {worst} is worst: {found[worst].detail}")


def _whole_step(path: DrawnPath, target: str, options: PathOptions) -> Check:
    """The narrow step in f32, every operator in the twin, and the update of the parameters."""
    draw = path.draw("narrow", "f32", options.seed)
    try:
        with Emulation(target) as emulation:
            found = _with_update(draw, draw.ours())
    except UolError as error:
        return Check(f"a whole step in the twin of {target}", False, str(error))
    theirs, golden = (_updated(draw, values) for values in (draw.theirs(), draw.golden()))
    judged = distance((found, theirs, golden), "f32", path.LEVEL)
    findings = "; ".join(emulation.findings[:3])
    name = f"a whole step in the twin of {target}, {emulation.kernels} kernels (emulated)"
    return Check(name, judged.ok and not findings, findings or f"{len(golden)} values together are {judged}")


def _with_update(draw: Draw, values: Values) -> Values:
    """The values of a step, and each parameter after an update by its gradient."""
    new = {f"new {n}": ops.sgd(p.detach(), values[n], lr=LEARNING_RATE) for n, p in draw.parameters.items()}
    return {**values, **new}


def _updated(draw: Draw, values: Values) -> Values:
    """The same by PyTorch, in the type of the gradients."""
    new = {f"new {n}": p.detach().to(values[n].dtype) - LEARNING_RATE * values[n] for n, p in draw.parameters.items()}
    return {**values, **new}


def _layer(case: KernelCase, verdict: Verdict) -> LayerResult:
    """A kernel's verdict as a row of the report."""
    return LayerResult(
        target=verdict.case.target,
        op=case.call.op,
        layers=case.places,
        shape=_shape(case),
        kernels=("kernel",) * verdict.kernels,
        status=verdict.status,
        reason=verdict.reason,
        golden=verdict.golden,
        pytorch=verdict.reference,
        findings=verdict.findings,
        counts=verdict.counts,
    )


def _shape(case: KernelCase) -> str:
    """`2x64x8x8, 64x64x3x3 -> 2x64x8x8, pad 1`."""
    sizes = [["x".join(map(str, t.shape)) or "1" for t in tensors] for tensors in (case.call.inputs, case.call.results)]
    inputs, results = map(", ".join, sizes)
    given: Sequence[str] = [f", {name} {value}" for name, value in case.call.options.items() if value is not None]
    return f"{inputs} -> {results}{''.join(given)}"
