"""Cross-modal attention pooling in plain PyTorch: what `module.py` is compared with. Nothing here is `uol`'s but the sizes."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from uol.conformance.paths.cmap.sizes import Sizes


class Stem(nn.Module):
    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        first, second = sizes.stem
        self.conv1 = nn.Conv3d(sizes.channels, first, 3, stride=2, padding=1, bias=False)
        self.norm1 = nn.GroupNorm(sizes.groups, first)
        self.conv2 = nn.Conv3d(first, second, 3, stride=(1, 2, 2), padding=1, bias=False)
        self.norm2 = nn.GroupNorm(sizes.groups, second)

    def forward(self, video: Tensor) -> Tensor:
        first = functional.relu(self.norm1(self.conv1(video)))
        return functional.relu(self.norm2(self.conv2(first)))


def initialise(attention: nn.Module) -> None:
    for layer in attention.children():
        if isinstance(layer, nn.Linear):
            nn.init.xavier_uniform_(layer.weight)


def attention(q: Tensor, k: Tensor, v: Tensor, heads: int, seen: Tensor | None) -> Tensor:
    """q [N, Q, D], k and v [N, K, D], seen bool [N, 1, 1, K] -> [N, Q, D]."""
    query, key, value = (x.reshape(*x.shape[:2], heads, -1).transpose(1, 2) for x in (q, k, v))
    read = functional.scaled_dot_product_attention(query, key, value, attn_mask=seen)
    return read.transpose(1, 2).reshape(q.shape)


class Alignment(nn.Module):
    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.heads = sizes.heads
        self.query = nn.Linear(sizes.model, sizes.model)
        self.key = nn.Linear(sizes.text_width, sizes.model, bias=False)
        self.value = nn.Linear(sizes.text_width, sizes.model)
        self.out = nn.Linear(sizes.model, sizes.model, bias=False)
        self.norm = nn.LayerNorm(sizes.model)
        initialise(self)

    def forward(self, tokens: Tensor, text: Tensor, there: Tensor) -> Tensor:
        seen = there[:, None, None]
        read = attention(self.query(tokens), self.key(text), self.value(text), self.heads, seen)
        found: Tensor = self.norm(self.out(read) + tokens)
        return found


class Pooling(nn.Module):
    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.heads = sizes.heads
        self.seed = nn.Parameter(torch.randn(sizes.model) * 0.02)
        self.query = nn.Linear(sizes.model, sizes.model)
        self.key = nn.Linear(sizes.model, sizes.model, bias=False)
        self.value = nn.Linear(sizes.model, sizes.model)
        self.out = nn.Linear(sizes.model, sizes.model, bias=False)
        self.norm = nn.LayerNorm(sizes.model)
        initialise(self)

    def forward(self, tokens: Tensor) -> Tensor:
        query = self.query(self.seed[None]).expand(tokens.shape[0], 1, -1)
        read = attention(query, self.key(tokens), self.value(tokens), self.heads, None)
        found: Tensor = self.norm(self.out(read[:, 0]) + self.seed)
        return found


class CrossModalPooling(nn.Module):
    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.stem = Stem(sizes)
        self.project = nn.Linear(sizes.stem[1], sizes.model)
        self.align = Alignment(sizes)
        self.pool = Pooling(sizes)

    def forward(self, video: Tensor, text: Tensor, there: Tensor) -> Tensor:
        tokens = self.project(self.stem(video).flatten(2).transpose(1, 2))
        found: Tensor = self.pool(self.align(tokens, text, there))
        return found


class Answerer(nn.Module):
    def __init__(self, sizes: Sizes, tokens: int, answers: int) -> None:
        super().__init__()
        self.embed = nn.Embedding(tokens, sizes.text_width)
        self.core = CrossModalPooling(sizes)
        self.hidden = nn.Linear(sizes.model, 2 * sizes.model)
        self.head = nn.Linear(2 * sizes.model, answers)

    def forward(self, video: Tensor, tokens: Tensor, there: Tensor) -> Tensor:
        found: Tensor = self.head(functional.relu(self.hidden(self.core(video, self.embed(tokens), there))))
        return found

    def loss(self, video: Tensor, tokens: Tensor, there: Tensor, answer: Tensor) -> Tensor:
        return functional.cross_entropy(self(video, tokens, there), answer)
