"""Attention."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.nn import functional

from uol.ops.references.random import dropout


def shared(q: Tensor, k: Tensor) -> Tensor:
    """Keys or values for every head of the queries."""
    return k.repeat_interleave(q.shape[1] // max(k.shape[1], 1), 1)


def attention(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None, causal: bool = False) -> Tensor:
    """softmax(q @ k.T / sqrt(D)) @ v, 0 where a query sees no key."""
    if 0 in (*q.shape, *k.shape, *v.shape):
        return q.new_zeros(*q.shape[:-1], v.shape[-1])
    return functional.scaled_dot_product_attention(q, shared(q, k), shared(q, v), mask, is_causal=causal)


def sliding(q: Tensor, k: Tensor, v: Tensor, window: int) -> Tensor:
    """Attention of each query to the last `window` keys up to its own."""
    i, j = torch.arange(q.shape[2])[:, None], torch.arange(k.shape[2])
    return attention(q, k, v, ((j <= i) & (j > i - window)).to(q.device))


def with_dropout(q: Tensor, k: Tensor, v: Tensor, seed: int, p: float = 0.5, causal: int = 0) -> Tensor:
    """Attention some of whose weights are left out."""
    scores = q @ shared(q, k).mT / math.sqrt(q.shape[-1])
    if causal:
        seen = torch.ones(scores.shape[-2:], dtype=torch.bool).tril()
        scores = scores.masked_fill(~seen, -math.inf)
    return dropout(scores.softmax(-1), seed, p) @ shared(q, v)


REFERENCES: Mapping[str, Callable[..., object]] = {
    "attention": attention,
    "causal_attention": lambda q, k, v: attention(q, k, v, causal=True),
    "masked_attention": lambda q, k, v, mask: attention(q, k, v, mask),
    "biased_attention": lambda q, k, v, bias: attention(q, k, v, bias),
    "sliding_attention": lambda q, k, v, window: sliding(q, k, v, window),
    "dropout_attention": with_dropout,
    "attention_pool": lambda q, k, v: attention(q[None, :, None].expand(k.shape[0], -1, -1, -1), k, v)[:, :, 0],
    "attention_scores": lambda q, k: q @ shared(q, k).mT / math.sqrt(q.shape[-1]),
}
