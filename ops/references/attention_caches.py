"""Attention to as many keys as a batch has."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from uol.ops.references.attentions import attention


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


REFERENCES: Mapping[str, Callable[..., object]] = {"padded_attention": padded, "paged_attention": paged}
