"""Elements picked by indices that are data; 0 where an index is out of range."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor


def rows(x: Tensor, at: Tensor) -> Tensor:
    """x[at] along the first dim."""
    inside = (at >= 0) & (at < x.shape[0])
    if x.shape[0] == 0:
        return x.new_zeros(*at.shape, *x.shape[1:])
    picked = x[torch.where(inside, at, 0)]
    return torch.where(inside.reshape((*at.shape, *(1,) * (x.dim() - 1))), picked, 0)


def gather(x: Tensor, at: Tensor) -> Tensor:
    """x[..., at] along the last dim, row by row."""
    inside = (at >= 0) & (at < x.shape[-1])
    return torch.where(inside, torch.gather(x, -1, torch.where(inside, at, 0)), 0) if x.shape[-1] else at * x.new_zeros(())


def gather_rows(x: Tensor, at: Tensor) -> Tensor:
    """x[b, at[b]]."""
    return gather(x.mT, at[:, None].expand(-1, x.shape[2], -1)).mT.contiguous()


def from_the_end(at: Tensor, length: int) -> Tensor:
    """Places, of which the negative ones count from the end."""
    return torch.where(at < 0, at + length, at)


def index_pairs(x: Tensor, i: Tensor, j: Tensor) -> Tensor:
    """x[i, j]."""
    i, j = from_the_end(i, x.shape[0]), from_the_end(j, x.shape[1])
    inside = (j >= 0) & (j < x.shape[1])
    return rows(x.flatten(0, 1), torch.where(inside, i * x.shape[1] + j, -1))


def one_hot(at: Tensor, classes: int) -> Tensor:
    """1 at the class that is named, 0 elsewhere."""
    return (at[..., None] == torch.arange(classes)).long()


def index_fill(x: Tensor, at: Tensor, value: float) -> Tensor:
    """`value` at the places of the last dim that are named."""
    return x.index_fill(-1, at[(at >= 0) & (at < x.shape[-1])], value)


def segment_mean(x: Tensor, at: Tensor, segments: int) -> Tensor:
    """The mean of the rows of each segment; 0 where there are none."""
    return torch.stack([x[at == g].sum(0) / max(int((at == g).sum()), 1) for g in range(segments)])


REFERENCES: Mapping[str, Callable[..., object]] = {
    "embedding": rows,
    "embedding_bag": lambda w, at: rows(w, at).sum(-2),
    "index_select": rows,
    "gather": gather,
    "gather_rows": gather_rows,
    "take": rows,
    "one_hot": one_hot,
    "index_fill": index_fill,
    "segment_mean": segment_mean,
    "arange": lambda like, stop, start=0, step=1: torch.arange(start, stop, step).to(like.dtype),
    "index": lambda x, at: rows(x, from_the_end(at, len(x))),
    "index_pairs": index_pairs,
}
