"""A step of the layer on numbers drawn from a seed: the layer, its twin, and the twin in float64."""

from __future__ import annotations

import torch
from torch import Tensor

from uol.conformance.paths.draw import Size, Values
from uol.conformance.paths.moe import layer, twin
from uol.conformance.paths.moe.sizes import SIZES, Sizes
from uol.pytorch.schema import TORCH_TYPES

LEVEL = "L1"
DRAWS = {"f32": 3, "f16": 3, "bf16": 3}
LOSSES = (0.01, 0.001)
"""What the router's two losses weigh."""


class LayerDraw:
    """A layer on tokens that were drawn. PyTorch's sides route each token as ours did when it last ran: where two scores are
    nearly alike, another expert is no error."""

    def __init__(self, sizes: Sizes, dtype: str, seed: int) -> None:
        self.dtype = TORCH_TYPES[dtype]
        self.shape = (sizes.width, sizes.hidden, sizes.experts, sizes.top)
        generator = torch.Generator().manual_seed(seed)
        draws = (torch.randn(sizes.tokens, sizes.width, generator=generator) for _ in range(2))
        self.x, self.dy = (draw.to(self.dtype) for draw in draws)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.layer = layer.MixtureOfExperts(*self.shape).to(self.dtype)
        self.picks: Tensor | None = None

    @property
    def parameters(self) -> Values:
        """Those of the router and of the experts; the gradient of each has the name of the parameter."""
        return dict(self.layer.named_parameters())

    def ours(self) -> Values:
        """By uol's operators."""
        x = self.x.clone().requires_grad_()
        mixed = self.layer(x)
        self.picks = mixed.expert
        return self._values(self.layer, x, mixed)

    def theirs(self) -> Values:
        """By PyTorch in the same type."""
        return self._twin(self.dtype)

    def golden(self) -> Values:
        """By PyTorch in float64."""
        return self._twin(torch.float64)

    def _twin(self, dtype: torch.dtype) -> Values:
        if self.picks is None:
            self.ours()
        module = twin.MixtureOfExperts(*self.shape).to(dtype)
        module.load_state_dict(self.layer.state_dict())
        x = self.x.to(dtype, copy=True).requires_grad_()
        return self._values(module, x, module(x, self.picks))

    def _values(self, module: torch.nn.Module, x: Tensor, mixed: layer.Mixed | twin.Mixed, dy: Tensor | None = None) -> Values:
        """Results, and the gradients of <y, dy> and the losses of the router. `dy`: that of `x`, where it is a part."""
        results = {"y": mixed.y, "balance": mixed.balance, "z": mixed.z}
        losses = [torch.tensor(weight, dtype=mixed.balance.dtype) for weight in LOSSES]
        names, parameters = zip(*module.named_parameters(), strict=True)
        cotangents = [(self.dy if dy is None else dy).to(mixed.y.dtype), *losses]
        dx, *found = torch.autograd.grad(list(results.values()), [x, *parameters], cotangents)
        return {**{n: v.detach() for n, v in results.items()}, "dx": dx, **dict(zip(names, found, strict=True))}


def alike(name: str) -> str:
    """Every value is judged by itself."""
    return name


def draw(size: Size, dtype: str, seed: int) -> LayerDraw:
    """The step of a seed."""
    return LayerDraw(SIZES[size], dtype, seed)
