"""A language model of bytes with layers of experts, of `uol`'s operators alone."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from uol.conformance.paths.moe.layer import MixtureOfExperts, Operator
from uol.conformance.paths.moe.sizes import BYTES, ModelSizes
from uol.pytorch.bridge import operator
from uol.pytorch.layers.parameter_layers import Linear
from uol.pytorch.layers.row_norm_layers import RMSNorm

_add: Operator = operator("add")
_addcmul: Operator = operator("addcmul")
_embedding: Operator = operator("embedding")
_split: Operator = operator("split_heads")
_attention: Operator = operator("causal_attention")
_merge: Operator = operator("merge_heads")
_cross_entropy: Operator = operator("cross_entropy")


class Attention(nn.Module):
    """Each byte looks at those before it: x + out(attention(norm(x)))."""

    def __init__(self, sizes: ModelSizes) -> None:
        super().__init__()
        self.heads = sizes.heads
        self.norm = RMSNorm(sizes.width, eps=1e-6)
        self.query, self.key = Linear(sizes.width, sizes.width), Linear(sizes.width, sizes.width)
        self.value, self.out = Linear(sizes.width, sizes.width), Linear(sizes.width, sizes.width)

    def forward(self, x: Tensor) -> Tensor:
        """`x` [B, L, D]."""
        normed = self.norm(x)
        q, k, v = (_split(part(normed), heads=self.heads) for part in (self.query, self.key, self.value))
        added: Tensor = _add(x, self.out(_merge(_attention(q, k, v))))
        return added


class Block(nn.Module):
    """Attention, then experts: x + moe(norm(x)), with the losses of the router."""

    def __init__(self, sizes: ModelSizes) -> None:
        super().__init__()
        self.attention = Attention(sizes)
        self.norm = RMSNorm(sizes.width, eps=1e-6)
        self.experts = MixtureOfExperts(sizes.width, sizes.hidden, sizes.experts, sizes.top, sizes.capacity)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """`x` [B, L, D]."""
        x = self.attention(x)
        mixed = self.experts(self.norm(x).flatten(0, 1))
        return _add(x, mixed.y.view_as(x)), mixed.balance, mixed.z


class LanguageModel(nn.Module):
    """Scores [B, L, 256] of the byte after each of `at`, i64 [B, L], L the context; and the router's losses of each block."""

    one: Tensor

    def __init__(self, sizes: ModelSizes) -> None:
        super().__init__()
        self.sizes = sizes
        self.byte = nn.Parameter(torch.randn(BYTES, sizes.width) * 0.1)
        self.place = nn.Parameter(torch.randn(sizes.context, sizes.width) * 0.1)
        self.blocks = nn.ModuleList(Block(sizes) for _ in range(sizes.blocks))
        self.norm = RMSNorm(sizes.width, eps=1e-6)
        self.head = Linear(sizes.width, BYTES)
        self.register_buffer("one", torch.ones(()), persistent=False)

    def forward(self, at: Tensor) -> tuple[Tensor, list[tuple[Tensor, Tensor]]]:
        x = _add(_embedding(self.byte, at), self.place)
        losses = []
        for block in self.blocks:
            x, balance, z = block(x)
            losses.append((balance, z))
        return self.head(self.norm(x)), losses

    def loss(self, at: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """What is trained: the cross-entropy and the router's losses; and the cross-entropy alone."""
        scores, losses = self(at)
        entropy = _cross_entropy(scores.flatten(0, 1), target.flatten())
        total = entropy
        for balance, z in losses:
            total = _addcmul(total, balance, self.one, value=self.sizes.balance)
            total = _addcmul(total, z, self.one, value=self.sizes.z)
        return total, entropy
