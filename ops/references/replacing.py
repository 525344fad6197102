"""Values put into places that are data, one after the other; what is out of range is dropped."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from uol.ops.references.indexing import from_the_end


def scatter(x: Tensor, at: Tensor, z: Tensor) -> Tensor:
    """z at the places of the last dim of x: of several for one place, the last."""
    if not x.shape[-1]:
        return x.clone()
    inside = (at >= 0) & (at < x.shape[-1])
    places = torch.where(inside, at, 0)
    for k in range(at.shape[-1]):
        here, value = places[..., k : k + 1], z[..., k : k + 1]
        x = x.scatter(-1, here, torch.where(inside[..., k : k + 1], value, x.gather(-1, here)))
    return x.clone()


def index_copy(x: Tensor, at: Tensor, z: Tensor) -> Tensor:
    """Rows of z in the place of rows of x: of several for one place, the last."""
    return scatter(x.mT, at.expand(x.shape[1], -1), z.mT).mT.contiguous()


def max_unpool(x: Tensor, at: Tensor, places: int) -> Tensor:
    """x at its places among zeros."""
    return scatter(x.new_zeros(*x.shape[:-1], places), at, x)


REFERENCES: Mapping[str, Callable[..., object]] = {
    "scatter": scatter,
    "index_copy": index_copy,
    "index_put": lambda x, at, z: index_copy(x, from_the_end(at, len(x)), z),
    "max_unpool": max_unpool,
}
