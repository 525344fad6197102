"""A network on this machine: one kernel an operator, activations channels-last, filters as [R, S, C, O]."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from uol.binding.arrays import empty_result
from uol.binding.layouts import channels_last
from uol.compilation.pipeline import module_of
from uol.compilation.request import Request, Target
from uol.compiler import Compiled
from uol.conformance.cases.memory_order import Strides, filter_last, filters, laid_out
from uol.conformance.paths.resnet50.network import Placed

Array = NDArray[np.generic]


@dataclass(frozen=True, slots=True)
class Step:
    """A layer with its kernels and buffers: `call()` computes `result` from the results before it."""

    placed: Placed
    compiled: Compiled
    inputs: Mapping[str, Array]
    result: Array
    call: Callable[[], None]


@dataclass(frozen=True, slots=True)
class CpuNetwork:
    """All layers in order. `image` is the buffer that the picture goes into; `run` leaves the network's result in `output`."""

    image: Array
    steps: tuple[Step, ...]

    @property
    def output(self) -> Array:
        return self.steps[-1].result

    def run(self) -> Array:
        """The network's result for what is in `image`."""
        for step in self.steps:
            step.call()
        return self.output

    def step(self, name: str) -> Step:
        """The step of a layer."""
        return next(s for s in self.steps if s.placed.layer.name == name)


def build_network(
    placed: tuple[Placed, ...],
    state: Mapping[str, NDArray[np.float32]],
    image: NDArray[np.float32],
    target: Target,
    done: Callable[[int], None] = lambda number: None,
) -> CpuNetwork:
    """Compiles every layer and lays out image, weights and activations. `done` is called after each layer."""
    buffers: dict[str, Array] = {"image": laid_out(image, channels_last(image.shape))}
    steps = []
    for number, each in enumerate(placed, 1):
        strides = layouts(each)
        for param, tensor in each.layer.inputs.items():
            if tensor not in buffers:
                buffers[tensor] = laid_out(state[tensor], strides.get(param))
        inputs = {param: buffers[tensor] for param, tensor in each.layer.inputs.items()}
        steps.append(_step(each, Request(each.instance, target, strides), inputs))
        buffers[each.layer.name] = steps[-1].result
        done(number)
    return CpuNetwork(buffers["image"], tuple(steps))


def layouts(placed: Placed) -> dict[str, Strides]:
    """Channels-last activations; filters with contiguous output channels."""
    four = {name: shape for name, shape in placed.shapes.items() if len(shape) == 4}
    found = filters(placed.instance.op)
    return {name: filter_last(shape) if name in found else channels_last(shape) for name, shape in four.items()}


def _step(placed: Placed, request: Request, inputs: Mapping[str, Array]) -> Step:
    compiled = Compiled(request, module_of(request))
    (result,) = (empty_result(a) for a in compiled.module.graph.args if a.role == "out")
    arguments = (*(inputs[a.name] for a in compiled.inputs), result, *compiled.scalars({}))
    function = compiled.loaded

    def call() -> None:
        function(*arguments)

    return Step(placed, compiled, inputs, result, call)
