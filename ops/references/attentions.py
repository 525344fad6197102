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


def padded(q: Tensor, k: Tensor, v: Tensor, length: Tensor) -> Tensor:
    """Attention of each batch to its first keys."""
    counts = [min(max(int(count), 0), k.shape[2]) for count in length]
    each = (attention(q[b : b + 1], k[b : b + 1, :, :n], v[b : b + 1, :, :n]) for b, n in enumerate(counts))
    return torch.cat([q.new_zeros(0, *q.shape[1:3], v.shape[-1]), *each])


def paged(q: Tensor, k: Tensor, v: Tensor, table: Tensor, length: Tensor) -> Tensor:
    """Attention of each batch to the keys that its pages have, side by side; what is no page is zeros."""
    pages, rows = k.shape[:2]
    places = torch.where((table >= 0) & (table < pages), table, pages)
    keys, values = (_side_by_side(cache, places, rows) for cache in (k, v))
    return padded(q, keys, values, length)


def _side_by_side(cache: Tensor, places: Tensor, rows: int) -> Tensor:
    """[B, G, C * P, D] of [N, P, G, D] and the places of pages [B, C]."""
    cache = torch.cat([cache, cache.new_zeros(1, *cache.shape[1:])])
    return cache[places].reshape(places.shape[0], places.shape[1] * rows, *cache.shape[2:]).transpose(1, 2)


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
    "padded_attention": padded,
    "paged_attention": paged,
    "dropout_attention": with_dropout,
    "attention_pool": lambda q, k, v: attention(q[None, :, None].expand(k.shape[0], -1, -1, -1), k, v)[:, :, 0],
    "attention_scores": lambda q, k: q @ shared(q, k).mT / math.sqrt(q.shape[-1]),
}
