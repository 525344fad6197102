"""ResNet-50 beside its twin, from the same parameters on the same pictures: both errors against float64, and both times.

    python -m uol.conformance.paths.resnet50.judge --size check
    python -m uol.conformance.paths.resnet50.judge --size check --times

Exit status 1 where an error is beyond the dual benchmark's limits of level L2.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from typing import Literal

import torch

import uol
from uol.conformance.accuracy.dual import Dual
from uol.conformance.bench.measurement import Timing
from uol.conformance.bench.turns import Turns, alternate
from uol.conformance.paths.draw import Values, pooled_errors
from uol.conformance.paths.resnet50.draw import LEVEL, NetworkDraw, draw_sizes
from uol.conformance.paths.resnet50.module import loss
from uol.conformance.paths.resnet50.sizes import SIZES, Sizes
from uol.conformance.paths.resnet50.twin import torch_loss


def errors(sizes: Sizes, dtype: str, seeds: Sequence[int], *, together: bool = False) -> dict[str, Dual]:
    """The dual benchmark of each value; of results and of all gradients `together`, where they are few: the ratio of two
    roundings of a handful of numbers is chance. The elements of all seeds are judged at once."""
    draws = [draw_sizes(sizes, dtype, seed) for seed in seeds]
    return pooled_errors(draws, dtype, LEVEL, _together) if together else pooled_errors(draws, dtype, LEVEL)


def _together(found: Values) -> Values:
    """Scores and loss, and the gradients, as a vector each."""
    scores, loss, *gradients = found.values()
    parts = {"results": (scores, loss), "gradients": gradients}
    return {name: torch.cat([value.double().flatten() for value in each]) for name, each in parts.items()}


Side = Literal["uol", "PyTorch"]
Format = Literal["row-major", "channels-last"]


def step(draw: NetworkDraw, side: Side, order: Format) -> Callable[[], object]:
    """A training step of one side, of its forward pass, its gradients and its SGD, in a memory format."""
    network = draw.network if side == "uol" else draw.twin
    own_loss, own_sgd = (loss, uol.SGD) if side == "uol" else (torch_loss, torch.optim.SGD)
    images = draw.images
    if order == "channels-last":
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # PyTorch's stubs lack it
        images = images.contiguous(memory_format=torch.channels_last)
    optimiser = own_sgd(network.parameters(), lr=0.0, momentum=0.9)

    def run() -> object:
        optimiser.zero_grad()
        found = own_loss(network(images), draw.labels)
        found.backward()
        optimiser.step()
        return found.detach()

    return run


def times(sizes: Sizes, dtype: str, ours: Format, theirs: Format) -> Timing:
    """A training step of ours beside the twin's by PyTorch eager, in turns."""
    draw = draw_sizes(sizes, dtype, 0)
    measured = alternate({"uol": step(draw, "uol", ours), "PyTorch": step(draw, "PyTorch", theirs)}, Turns())
    return Timing.of(measured["uol"], measured["PyTorch"])


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=SIZES, default="check")
    parser.add_argument("--dtype", default="f32,f16,bf16", help="types, by commas")
    parser.add_argument("--seeds", type=int, default=1, help="how many draws are judged together")
    parser.add_argument("--together", action="store_true", help="the gradients of all parameters as one value")
    parser.add_argument("--times", action="store_true", help="times in place of errors")
    options = parser.parse_args()
    sizes, dtypes = SIZES[options.size], options.dtype.split(",")
    if options.times:
        for dtype in dtypes:
            for order in ("row-major", "channels-last"):
                print(f"{dtype:5}{order:14}{times(sizes, dtype, order, 'channels-last')}", flush=True)
        return
    failed = False
    for dtype in dtypes:
        for name, dual in errors(sizes, dtype, range(options.seeds), together=options.together).items():
            failed |= not dual.ok
            print(f"{dtype:5}{'ok' if dual.ok else 'FAILED':7}{name:34}{dual.detail}", flush=True)
    sys.exit(failed)


if __name__ == "__main__":
    main()
