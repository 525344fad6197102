"""Sums into places that are data; what is out of range is dropped."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor


def scatter_add(x: Tensor, at: Tensor, places: int) -> Tensor:
    """Rows of x added up by their places."""
    inside = (at >= 0) & (at < places)
    return x.new_zeros(places, *x.shape[1:]).index_add_(0, at[inside], x[inside])


def histogram(x: Tensor, edges: Tensor) -> Tensor:
    """How many lie between each edge, itself included, and the next, which the last bin includes too."""
    inside = (x[:, None] >= edges[:-1]) & (x[:, None] < edges[1:])
    if inside.shape[1]:
        inside[:, -1] |= x == edges[-1]
    return inside.sum(0)


REFERENCES: Mapping[str, Callable[..., object]] = {
    "scatter_add": scatter_add,
    "index_add": lambda x, at, z: x + scatter_add(z, at, len(x)),
    "segment_sum": lambda x, at, segments: scatter_add(x, at, segments),
    "bincount": lambda at, bins: scatter_add(torch.ones_like(at), at, bins),
    "weighted_bincount": lambda at, w, bins: scatter_add(w, at, bins),
    "histogram": histogram,
}
