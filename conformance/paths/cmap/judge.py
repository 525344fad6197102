"""The path beside its twin, from the same parameters on the same inputs: the errors of both against float64, and their times.

    python -m uol.conformance.paths.cmap.judge --size check
    python -m uol.conformance.paths.cmap.judge --size check --times

Exit status 1 where an error is beyond the dual benchmark's limits of level L1.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from uol.conformance.accuracy.dual import Dual, dual_benchmark, typical
from uol.conformance.bench.measurement import Timing
from uol.conformance.bench.turns import Turns, alternate
from uol.conformance.paths.cmap import module, twin
from uol.conformance.paths.cmap.sizes import CHECK, NARROW, TRAINED, Sizes

TYPES = {"f64": torch.float64, "f32": torch.float32, "f16": torch.float16, "bf16": torch.bfloat16}
SIZES = {"check": CHECK, "narrow": NARROW, "trained": TRAINED}
LEVEL = "L1"
Inputs = tuple[Tensor, Tensor, Tensor]
"""Video, text, and which words are there."""


@dataclass(frozen=True, slots=True)
class Draw:
    """Parameters, inputs and a cotangent from a seed, rounded to a type. Of two texts or more the last has no word."""

    ours: nn.Module
    theirs: nn.Module
    inputs: Inputs
    cotangent: Tensor

    @staticmethod
    def of(sizes: Sizes, dtype: str, seed: int) -> Draw:
        torch.manual_seed(seed)
        theirs = twin.CrossModalPooling(sizes).to(TYPES[dtype])
        ours = module.CrossModalPooling(sizes).to(TYPES[dtype])
        ours.load_state_dict(theirs.state_dict())
        count = torch.randint(1, sizes.words + 1, (sizes.batch, 1))
        if sizes.batch > 1:
            count[-1] = 0
        there = torch.arange(sizes.words) < count
        shapes = (sizes.video, sizes.text, (sizes.batch, sizes.model))
        video, text, cotangent = (torch.randn(shape).to(TYPES[dtype]) for shape in shapes)
        return Draw(ours, theirs, (video, text, there), cotangent)

    def golden(self, sizes: Sizes) -> dict[str, Tensor]:
        """The twin's values in float64, of the rounded parameters and inputs."""
        exact = twin.CrossModalPooling(sizes).double()
        exact.load_state_dict(self.theirs.state_dict())
        video, text, there = self.inputs
        return values(exact, (video.double(), text.double(), there), self.cotangent.double())


def values(network: nn.Module, inputs: Inputs, cotangent: Tensor) -> dict[str, Tensor]:
    """The result `y`, and the gradient of each parameter by its name."""
    y = network(*inputs)
    names, parameters = zip(*network.named_parameters(), strict=True)
    return {"y": y.detach(), **dict(zip(names, torch.autograd.grad(y, parameters, cotangent), strict=True))}


def errors(sizes: Sizes, dtype: str, seeds: Sequence[int]) -> dict[str, Dual]:
    """The dual benchmark of the result and of each parameter's gradient: the typical one of draws from these seeds."""
    draws = [_errors(sizes, dtype, seed) for seed in seeds]
    return {name: typical([draw[name] for draw in draws], LEVEL) for name in draws[0]}


def _errors(sizes: Sizes, dtype: str, seed: int) -> dict[str, Dual]:
    draw = Draw.of(sizes, dtype, seed)
    ours, theirs = (values(network, draw.inputs, draw.cotangent) for network in (draw.ours, draw.theirs))
    golden = draw.golden(sizes)

    def arrays(name: str) -> Sequence[NDArray[np.float64]]:
        return [side[name].double().numpy() for side in (ours, theirs, golden)]

    return {name: dual_benchmark(*arrays(name), dtype, LEVEL) for name in golden}


def step(network: nn.Module, inputs: Inputs, cotangent: Tensor) -> Callable[[], object]:
    """A forward pass and the gradients of all parameters."""
    return lambda: values(network, inputs, cotangent)


def forward(network: nn.Module, inputs: Inputs) -> Callable[[], object]:
    """A forward pass without a gradient."""

    def run() -> object:
        with torch.inference_mode():
            return network(*inputs)

    return run


def times(sizes: Sizes, dtype: str, turns: Turns) -> dict[str, Timing]:
    """Ours beside the twin's by PyTorch eager, in turns: of a forward pass and of one with all gradients."""
    draw = Draw.of(sizes, dtype, 0)
    found = {}
    for name in ("forward", "step"):
        sides = {"uol": draw.ours, "PyTorch": draw.theirs}
        if name == "forward":
            runs = {side: forward(network, draw.inputs) for side, network in sides.items()}
        else:
            runs = {side: step(network, draw.inputs, draw.cotangent) for side, network in sides.items()}
        measured = alternate(runs, turns)
        found[name] = Timing.of(measured["uol"], measured["PyTorch"])
    return found


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=SIZES, default="check")
    parser.add_argument("--dtype", default="f32,f16,bf16", help="types, by commas")
    parser.add_argument("--seeds", type=int, default=5, help="how many draws there are")
    parser.add_argument("--times", action="store_true", help="times in place of errors")
    options = parser.parse_args()
    sizes, dtypes = SIZES[options.size], options.dtype.split(",")
    if options.times:
        for dtype in dtypes:
            for name, timing in times(sizes, dtype, Turns()).items():
                print(f"{dtype:5}{name:9}{timing}")
        return
    failed = False
    for dtype in dtypes:
        for name, dual in errors(sizes, dtype, range(options.seeds)).items():
            failed |= not dual.ok
            print(f"{dtype:5}{'ok' if dual.ok else 'FAILED':7}{name:20}{dual.detail}", flush=True)
    sys.exit(failed)


if __name__ == "__main__":
    main()
