"""ResNet-50 on a photograph: whole on the CPU, every distinct layer with its real inputs on every target.

CPU        56 operators in a row, f32; the logits against torchvision's network in float64 and float32; every distinct
           layer against its golden value and PyTorch; the times of all layers in one pass, beside PyTorch's eager ones
others     in the twin, with all checks: every distinct layer at its real size, on the activations of the CPU's run
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from uol.backends import registry
from uol.compilation.request import Target, resolve_target
from uol.conformance.accuracy.dual import dual_benchmark
from uol.conformance.cases.machine import load
from uol.conformance.cases.twin_check import has_twin
from uol.conformance.paths.facts import facts
from uol.conformance.paths.record import Check, LayerResult, PathOptions, PathReport, Progress
from uol.conformance.paths.resnet50 import reference_network
from uol.conformance.paths.resnet50.cpu_network import CpuNetwork, build_network
from uol.conformance.paths.resnet50.layer_checks import LayerCase
from uol.conformance.paths.resnet50.network import Placed, distinct, place, resnet50
from uol.conformance.paths.resnet50.photograph import photograph
from uol.conformance.paths.resnet50.timing import pass_us
from uol.conformance.paths.resnet50.twin_layers import check_layers
from uol.ir.errors import UolError

if TYPE_CHECKING:
    import torch

TIMING_ROUNDS = 11
TOP = 5


@dataclass(frozen=True, slots=True)
class Subject:
    """The picture and the network in PyTorch, and its layers at the shapes of this picture."""

    image: NDArray[np.float32]
    network: torch.nn.Module
    state: Mapping[str, NDArray[np.float32]]
    placed: tuple[Placed, ...]

    @staticmethod
    def of(options: PathOptions) -> Subject:
        """Raises UolError for a picture or state dict that cannot be used."""
        image = photograph(options.image)
        network = reference_network.load_network(options.weights, options.seed, image)
        state = reference_network.state_arrays(network)
        shapes = {name: array.shape for name, array in state.items()} | {"image": image.shape}
        return Subject(image, network, state, place(resnet50(), shapes, "f32"))


def conform(options: PathOptions, progress: Progress) -> PathReport:
    """Runs the path on every target of `options` and judges it. Raises UolError where it cannot start."""
    started = time.perf_counter()
    targets = [resolve_target(name) for name in options.targets or registry.names()]
    targets.sort(key=lambda t: has_twin(t.backend.name))  # this machine first: the twins' inputs come from its run
    known = facts(options, targets)
    progress("photograph and weights", 0, 1)
    subject = Subject.of(options)
    progress("photograph and weights", 1, 1)
    here = local_target()
    network = build_network(
        subject.placed, subject.state, subject.image, here, lambda n: progress("CPU kernels", n, len(subject.placed))
    )
    result = np.array(network.run(), dtype=np.float64)
    checks = tuple(_end_to_end(subject, result))
    cases = [_case(network, each, names, options.dtypes[0]) for each, names in distinct(subject.placed)]
    layers: list[LayerResult] = []
    for target in targets:
        layers += _layers(network, subject, cases, target, progress, options.jobs)
    layers = _timed(network, subject, layers)  # when all else is done: a quiet machine
    agreements = tuple(a for case in cases for a in case.agreements())
    report = PathReport("resnet50", checks, tuple(layers), known, time.perf_counter() - started, agreements)
    return replace(report, facts={**known, **_whole(report)})


def local_target() -> Target:
    """The target whose kernels run on this machine."""
    name = next((n for n in registry.names() if not has_twin(n)), None)
    if name is None:
        raise UolError("no target runs on this machine", hint="`uol doctor` shows the targets")
    return resolve_target(name)


def _case(network: CpuNetwork, placed: Placed, names: tuple[str, ...], dtype: str) -> LayerCase:
    """A distinct layer with the inputs that the network's run left in its buffers."""
    return LayerCase.of(placed, names, dtype, network.step(placed.layer.name).inputs)


def _layers(
    network: CpuNetwork, subject: Subject, cases: Sequence[LayerCase], target: Target, progress: Progress, jobs: int
) -> Iterator[LayerResult]:
    name = target.backend.name
    if has_twin(name):
        yield from check_layers(cases, target, lambda n: progress(f"layers on {name}", n, len(cases)), jobs)
        return
    for number, case in enumerate(cases, 1):
        step = network.step(case.names[0])
        alike = case if case.dtype == "f32" else LayerCase.of(case.placed, case.names, "f32", step.inputs)
        yield alike.judge(step.compiled, step.result)
        progress(f"layers on {name}", number, len(cases))


def _end_to_end(subject: Subject, result: NDArray[np.float64]) -> Iterator[Check]:
    """The whole network against PyTorch's in float64, with PyTorch's float32 as the partner."""
    golden = reference_network.logits(subject.network, subject.image, double=True)
    partner = reference_network.logits(subject.network, subject.image, double=False)
    if result.shape != golden.shape:
        yield Check("logits", False, f"shape {result.shape}, expected {golden.shape}")
        return
    dual = dual_benchmark(result, partner, golden, "f32", "L0")
    yield Check("logits within the dual benchmark against PyTorch float32, golden is PyTorch float64", dual.ok, dual.detail)
    ours, theirs = (np.argsort(-r[0], kind="stable")[:TOP] for r in (result, golden))
    same = bool(np.array_equal(ours, theirs))
    yield Check(f"the {TOP} highest classes are PyTorch's", same, f"{ours.tolist()}, {theirs.tolist()}")
    spread = float(golden.std())
    yield Check("the logits tell classes apart", bool(spread > 1e-2), f"standard deviation {spread:.3g}")


def _whole(report: PathReport) -> dict[str, str]:
    """The whole network's times: the sums of its layers'."""
    if not report.total_us:
        return {}
    ours, theirs = (f"{us / 1e3:.1f} ms" for us in (report.total_us, report.pytorch_total_us))
    how = f"the sums of the layers, in the quietest of {TIMING_ROUNDS} passes each; load {load()} then"
    return {"whole network on this machine": f"uol {ours}, PyTorch eager {theirs}: {how}"}


def _timed(network: CpuNetwork, subject: Subject, layers: Sequence[LayerResult]) -> list[LayerResult]:
    """This machine's layers with their times in one pass over the network, and PyTorch eager's beside them."""
    steps = {step.placed.layer.name: step.call for step in network.steps}
    eager = reference_network.eager_steps([step.placed.layer for step in network.steps], subject.state, subject.image)
    times = pass_us({"uol": steps, "pytorch": eager}, rounds=TIMING_ROUNDS)
    return [
        layer
        if has_twin(layer.target)
        else replace(
            layer,
            time_us=sum(times["uol"][name] for name in layer.layers),
            pytorch_us=sum(times["pytorch"][name] for name in layer.layers),
        )
        for layer in layers
    ]
