"""A step of ResNet-50 on numbers drawn from a seed: the network, its twin, and the twin in float64."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from uol.conformance.paths.draw import Size, Values
from uol.conformance.paths.resnet50.module import ResNet, loss
from uol.conformance.paths.resnet50.sizes import SIZES as NAMED
from uol.conformance.paths.resnet50.sizes import Sizes
from uol.conformance.paths.resnet50.twin import TorchResNet, torch_loss
from uol.pytorch.schema import TORCH_TYPES

LEVEL = "L2"
DRAWS = {"f32": 21, "f16": 5, "bf16": 5}
"""In f16, of three, a first convolution's 9,408 numbers still had 1.22 by the few nearest to 0, of five 1.16. In f32, whose
draws take a tenth of the time, the scores had 1.25 of five and 1.01 of 21."""
NORM = re.compile(r"(?:(layer\d)\.\d+\.)?(?:bn\d|downsample\.1)\.(weight|bias)")
"""Parameters of a norm, by their names, with their stage where they are in one."""
SCALE = 1024.0
"""Of the loss whose gradients are taken, as in training in f16, where small cotangents would be lost; a power of two, which
rounds nothing."""

SIZES: Mapping[Size, Sizes] = {
    "check": NAMED["check"],
    "kernels": replace(NAMED["check"], blocks=(2, 2, 2, 2), batch=1, image=33),
    "narrow": NAMED["narrow"],
}
"""`kernels`: a stage's second block calls what its later ones call; at 33 x 33 the last norms see four numbers a channel."""


@dataclass(frozen=True, slots=True)
class NetworkDraw:
    """Both sides with the same parameters, pictures and labels. Pictures and parameters are numbers of the type; parameters are
    f32, as in training."""

    sizes: Sizes
    network: ResNet
    twin: TorchResNet
    images: Tensor
    labels: Tensor

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


def draw(size: Size, dtype: str, seed: int) -> NetworkDraw:
    """The step of a seed."""
    return draw_sizes(SIZES[size], dtype, seed)


def alike(name: str) -> str:
    """The weights of a stage's norms are judged together, and their biases; the stem's with the first stage's. Each has 64
    numbers to some hundreds: over 5 draws in f16 the logarithm of a single one's median ratio scattered by 0.2 around 0 in the
    first stage, that of a convolution's by 0.03."""
    norm = NORM.fullmatch(name)
    return name if norm is None else f"{norm[1] or 'layer1'}: norms' {norm[2]}"


def draw_sizes(sizes: Sizes, dtype: str, seed: int) -> NetworkDraw:
    """The step of a seed at any sizes."""
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
    return NetworkDraw(sizes, ours, theirs, images, labels)


def values(network: nn.Module, images: Tensor, labels: Tensor, own_loss: Callable[[Tensor, Tensor], Tensor]) -> Values:
    """Scores and loss of a step, and the gradient of each parameter by its name. numpy takes the scale out, which is no part
    of the step."""
    scores = network(images)
    found = own_loss(scores, labels)
    names, parameters = zip(*network.named_parameters(), strict=True)
    gradients = torch.autograd.grad(found, parameters, torch.tensor(SCALE, dtype=found.dtype))
    unscaled = {name: torch.from_numpy(gradient.numpy() / SCALE) for name, gradient in zip(names, gradients, strict=True)}
    return {"scores": scores.detach(), "loss": found.detach(), **unscaled}
