"""A step of the layer on numbers drawn from a seed: the layer, its twin, and the twin in float64."""

from __future__ import annotations

import torch
from torch import Tensor

from uol.conformance.paths.draw import Size, Values
from uol.conformance.paths.moe import layer, twin
from uol.conformance.paths.moe.accuracy import LEVEL as LEVEL
from uol.conformance.paths.moe.accuracy import with_gradients
from uol.conformance.paths.moe.sizes import SIZES
from uol.pytorch.schema import TORCH_TYPES


class LayerDraw:
    """A layer on tokens that were drawn. PyTorch's sides route each token as ours did when it last ran: where two scores are
    nearly alike, another expert is no error."""

    def __init__(self, size: Size, dtype: str, seed: int) -> None:
        sizes, self.dtype = SIZES[size], TORCH_TYPES[dtype]
        self.shape = (sizes.width, sizes.hidden, sizes.experts, sizes.top, None)
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
        self.layer.zero_grad()
        x = self.x.detach().clone().requires_grad_()
        mixed = self.layer(x)
        self.picks = mixed.expert
        return _named(with_gradients(self.layer, x, mixed, self.dy))

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
        x = self.x.detach().to(dtype).requires_grad_()
        return _named(with_gradients(module, x, module(x, self.picks), self.dy))


def _named(values: dict[str, Tensor]) -> Values:
    """Results by their names, gradients by those of their parameters (x is an input: its gradient is a result)."""
    return {n if n in ("y", "balance", "z", "dx") else n.removeprefix("d"): value.detach() for n, value in values.items()}


def draw(size: Size, dtype: str, seed: int) -> LayerDraw:
    """The step of a seed."""
    return LayerDraw(size, dtype, seed)
