"""The language model in plain PyTorch: nothing of `uol`, the same names of parameters."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from uol.conformance.paths.moe.sizes import BYTES, ModelSizes
from uol.conformance.paths.moe.twin import MixtureOfExperts


class Attention(nn.Module):
    """x + out(attention(norm(x)))."""

    def __init__(self, sizes: ModelSizes) -> None:
        super().__init__()
        self.heads = sizes.heads
        self.norm = nn.RMSNorm(sizes.width, eps=1e-6)
        self.query, self.key = nn.Linear(sizes.width, sizes.width), nn.Linear(sizes.width, sizes.width)
        self.value, self.out = nn.Linear(sizes.width, sizes.width), nn.Linear(sizes.width, sizes.width)

    def forward(self, x: Tensor) -> Tensor:
        normed = self.norm(x)
        q, k, v = (part(normed).unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in (self.query, self.key, self.value))
        seen = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        added: Tensor = x + self.out(seen.transpose(1, 2).flatten(2))
        return added


class Block(nn.Module):
    """Attention, then experts."""

    def __init__(self, sizes: ModelSizes) -> None:
        super().__init__()
        self.attention = Attention(sizes)
        self.norm = nn.RMSNorm(sizes.width, eps=1e-6)
        self.experts = MixtureOfExperts(sizes.width, sizes.hidden, sizes.experts, sizes.top, sizes.capacity)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x = self.attention(x)
        mixed = self.experts(self.norm(x).flatten(0, 1))
        return x + mixed.y.view_as(x), mixed.balance, mixed.z


class LanguageModel(nn.Module):
    """Scores of the next byte, and the router's losses of each block."""

    def __init__(self, sizes: ModelSizes) -> None:
        super().__init__()
        self.sizes = sizes
        self.byte = nn.Parameter(torch.randn(BYTES, sizes.width) * 0.1)
        self.place = nn.Parameter(torch.randn(sizes.context, sizes.width) * 0.1)
        self.blocks = nn.ModuleList(Block(sizes) for _ in range(sizes.blocks))
        self.norm = nn.RMSNorm(sizes.width, eps=1e-6)
        self.head = nn.Linear(sizes.width, BYTES)

    def forward(self, at: Tensor) -> tuple[Tensor, list[tuple[Tensor, Tensor]]]:
        x = self.byte[at] + self.place
        losses = []
        for block in self.blocks:
            x, balance, z = block(x)
            losses.append((balance, z))
        return self.head(self.norm(x)), losses

    def loss(self, at: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """What is trained: the cross-entropy and the router's losses; and the cross-entropy alone."""
        scores, losses = self(at)
        entropy = functional.cross_entropy(scores.flatten(0, 1), target.flatten())
        extra = [self.sizes.balance * balance + self.sizes.z * z for balance, z in losses]
        return entropy + sum(extra), entropy
