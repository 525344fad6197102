"""A step of the path on numbers drawn from a seed: the module, its twin, and the twin in float64."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from uol.conformance.paths.cmap import module, twin
from uol.conformance.paths.cmap.sizes import CHECK, NARROW, Sizes
from uol.conformance.paths.draw import Size, Values
from uol.pytorch.schema import TORCH_TYPES

LEVEL = "L1"
DRAWS = {"f32": 21, "f16": 21, "bf16": 21}
"""A vector has 256 numbers, of which the few nearest to 0 rule a draw's RMS. The worst of its 26 values was 1.7 to 1.9 times
PyTorch's over 5 draws, and 1.1 to 1.4 over 21 or 25, by type: no value stayed where fewer draws had put it."""
SIZES: Mapping[Size, Sizes] = {
    "check": CHECK,
    "kernels": replace(CHECK, batch=1, frames=2, height=8, width=8, words=4),
    "narrow": NARROW,
}
Inputs = tuple[Tensor, Tensor, Tensor]
"""Video, text, and which words are there."""


@dataclass(frozen=True, slots=True)
class PathDraw:
    """Parameters, inputs and a cotangent, rounded to a type. Of two texts or more the last has no word."""

    module: module.CrossModalPooling
    twin: twin.CrossModalPooling
    inputs: Inputs
    cotangent: Tensor

    @property
    def parameters(self) -> Values:
        """The parameters of the module by name."""
        return dict(self.module.named_parameters())

    def ours(self) -> Values:
        """By uol's operators."""
        return values(self.module, self.inputs, self.cotangent)

    def theirs(self) -> Values:
        """By PyTorch in the same type."""
        return values(self.twin, self.inputs, self.cotangent)

    def golden(self) -> Values:
        """By the twin in float64, of the rounded parameters and inputs."""
        exact = twin.CrossModalPooling(self.module.sizes).double()
        exact.load_state_dict(self.twin.state_dict())
        video, text, there = self.inputs
        return values(exact, (video.double(), text.double(), there), self.cotangent.double())


def alike(name: str) -> str:
    """Every value is judged by itself."""
    return name


def draw(size: Size, dtype: str, seed: int) -> PathDraw:
    """The step of a seed."""
    return draw_sizes(SIZES[size], dtype, seed)


def draw_sizes(sizes: Sizes, dtype: str, seed: int) -> PathDraw:
    """The step of a seed at any sizes."""
    torch.manual_seed(seed)
    theirs = twin.CrossModalPooling(sizes).to(TORCH_TYPES[dtype])
    ours = module.CrossModalPooling(sizes).to(TORCH_TYPES[dtype])
    ours.load_state_dict(theirs.state_dict())
    count = torch.randint(1, sizes.words + 1, (sizes.batch, 1))
    if sizes.batch > 1:
        count[-1] = 0
    there = torch.arange(sizes.words) < count
    shapes = (sizes.video, sizes.text, (sizes.batch, sizes.model))
    video, text, cotangent = (torch.randn(shape).to(TORCH_TYPES[dtype]) for shape in shapes)
    return PathDraw(ours, theirs, (video, text, there), cotangent)


def values(network: nn.Module, inputs: Inputs, cotangent: Tensor) -> dict[str, Tensor]:
    """The result `y`, and the gradient of each parameter by its name."""
    y = network(*inputs)
    names, parameters = zip(*network.named_parameters(), strict=True)
    return {"y": y.detach(), **dict(zip(names, torch.autograd.grad(y, parameters, cotangent), strict=True))}
