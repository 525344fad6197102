"""The distinct layers of a network in a target's twin: kernels emitted, run with all checks, judged.

Kernels are made one after the other; runs, which are processes of their own, go on several at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from uol.backends.twin import Job, execute_many
from uol.binding.layouts import channels_last
from uol.compilation.pipeline import module_of, program_of
from uol.compilation.request import Target
from uol.compiler import Compiled
from uol.conformance.cases.memory_order import Strides, all_laid_out
from uol.conformance.paths.record import LayerResult
from uol.conformance.paths.resnet50.layer_checks import LayerCase
from uol.ir.errors import RefusalError, UolError
from uol.ir.program.dtype_encoding import encode

TIMEOUT_S = 240.0


@dataclass(frozen=True, slots=True)
class Ready:
    """A layer whose kernels are made."""

    case: LayerCase
    compiled: Compiled
    job: Job


def check_layers(
    cases: Sequence[LayerCase], target: Target, done: Callable[[int], None], jobs: int = 2
) -> Iterator[LayerResult]:
    """The verdict on every layer in the twin of `target`, in order; `done` is called with the number of verdicts."""
    made = [make(case, target) for case in cases]
    with ThreadPoolExecutor(jobs) as pool:
        verdicts = pool.map(run, made)
        for number, verdict in enumerate(verdicts, 1):
            yield verdict
            done(number)


def layouts(case: LayerCase) -> dict[str, Strides]:
    """Activations channels-last, filters as [O, R, S, C]: the contraction's axes are contiguous in both."""
    return {name: channels_last(shape) for name, shape in case.placed.shapes.items() if len(shape) == 4}


def make(case: LayerCase, target: Target) -> Ready | LayerResult:
    """The kernels of a layer with their inputs, or why there are none."""
    strides = layouts(case)
    request = case.request(target, strides)
    try:
        compiled = Compiled(request, module_of(request))
        program = program_of(request)
    except RefusalError as error:
        return case.failure(target.name, "refused", error.message)
    except UolError as error:
        return case.failure(target.name, "failed", str(error))
    buffers = all_laid_out({n: encode(v, case.dtype) for n, v in case.values.items()}, strides)
    return Ready(case, compiled, Job(compiled.module, buffers, case.scalars(program), timeout_s=TIMEOUT_S))


def run(ready: Ready | LayerResult) -> LayerResult:
    """Runs a layer in the twin and judges it."""
    if isinstance(ready, LayerResult):
        return ready
    (outcome,) = execute_many([ready.job])
    findings = tuple(map(str, outcome.findings))
    return ready.case.judge(ready.compiled, outcome.outputs.get("y"), findings, outcome.counts, outcome.seconds)
