"""ResNet-50 beside its twin, from the same parameters on the same pictures: both errors against float64, and both times.

    python -m uol.conformance.paths.resnet50.judge --size check
    python -m uol.conformance.paths.resnet50.judge --size check --times

Exit status 1 where an error is beyond the dual benchmark's limits of level L2.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

import uol
from uol.conformance.accuracy.dual import Dual
from uol.conformance.bench.measurement import Timing
from uol.conformance.bench.turns import Turns, alternate
from uol.conformance.paths.draw import Values, pooled_errors
from uol.conformance.paths.resnet50.module import ResNet, loss
from uol.conformance.paths.resnet50.sizes import SIZES, Sizes
from uol.conformance.paths.resnet50.twin import TorchResNet, torch_loss
from uol.pytorch.schema import TORCH_TYPES

LEVEL = "L2"
SCALE = 1024.0
"""Of the loss whose gradients are taken, as in training in f16, where small cotangents would be lost; a power of two, which
rounds nothing."""


@dataclass(frozen=True, slots=True)
class Draw:
    """Both sides with the same parameters, pictures and labels. Pictures and parameters are numbers of the type; parameters are
    f32, as in training."""

    sizes: Sizes
    network: ResNet
    twin: TorchResNet
    images: Tensor
    labels: Tensor

    @staticmethod
    def of(sizes: Sizes, dtype: str, seed: int) -> Draw:
        torch.manual_seed(seed)
        theirs, narrow = TorchResNet(sizes), TORCH_TYPES[dtype]
        with torch.no_grad():
            for parameter in theirs.parameters():
                parameter.add_(0.1 * torch.randn_like(parameter)) if parameter.dim() == 1 else None
                parameter.copy_(parameter.to(narrow))
        ours = ResNet(sizes)
        ours.load_state_dict(theirs.state_dict())
        images = torch.randn(sizes.batch, 3, sizes.image, sizes.image).to(narrow)
        labels = torch.randint(sizes.classes, (sizes.batch,))
        return Draw(sizes, ours, theirs, images, labels)

    @property
    def parameters(self) -> Values:
        """By name."""
        return dict(self.network.named_parameters())

    def ours(self) -> Values:
        """By uol's operators."""
        return values(self.network, self.images, self.labels, loss)

    def theirs(self) -> Values:
        """By PyTorch in the same type."""
        return values(self.twin, self.images, self.labels, torch_loss)

    def golden(self) -> Values:
        """By the twin in float64, of the same numbers. (The running statistics have no part in a step of training.)"""
        exact = TorchResNet(self.sizes)
        exact.load_state_dict(self.twin.state_dict())
        return values(exact.double(), self.images.double(), self.labels, torch_loss)


def values(network: nn.Module, images: Tensor, labels: Tensor, own_loss: Callable[[Tensor, Tensor], Tensor]) -> Values:
    """Scores and loss of a step, and the gradient of each parameter by its name."""
    scores = network(images)
    found = own_loss(scores, labels)
    names, parameters = zip(*network.named_parameters(), strict=True)
    gradients = torch.autograd.grad(found * SCALE, parameters)
    unscaled = {name: gradient / SCALE for name, gradient in zip(names, gradients, strict=True)}
    return {"scores": scores.detach(), "loss": found.detach(), **unscaled}


def errors(sizes: Sizes, dtype: str, seeds: Sequence[int], *, together: bool = False) -> dict[str, Dual]:
    """The dual benchmark of each value; of results and of all gradients `together`, where they are few: the ratio of two
    roundings of a handful of numbers is chance. The elements of all seeds are judged at once."""
    draws = [Draw.of(sizes, dtype, seed) for seed in seeds]
    return pooled_errors(draws, dtype, LEVEL, _together) if together else pooled_errors(draws, dtype, LEVEL)


def _together(found: Values) -> Values:
    """Scores and loss, and the gradients, as a vector each."""
    scores, loss, *gradients = found.values()
    parts = {"results": (scores, loss), "gradients": gradients}
    return {name: torch.cat([value.double().flatten() for value in each]) for name, each in parts.items()}


Side = Literal["uol", "PyTorch"]
Format = Literal["row-major", "channels-last"]


def step(draw: Draw, side: Side, order: Format) -> Callable[[], object]:
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
    draw = Draw.of(sizes, dtype, 0)
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
