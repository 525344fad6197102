"""Averages over what counts."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.nn import functional

from uol.ops.references.pool import avg_pool
from uol.ops.references.windows import sides


def counted(rank: int) -> Callable[..., Tensor]:
    """The average over windows, beside that of 1 where something counts and 0 elsewhere."""
    average = avg_pool(rank)

    def apply(x: Tensor, **attrs: int) -> Tensor:
        window = {n: v for n, v in attrs.items() if not n.startswith("rim")}
        rims = {n.replace("rim", "pad"): v for n, v in attrs.items() if n.startswith("rim")}
        ones = torch.ones(1, 1, *x.shape[2:], dtype=x.dtype)
        rest = []
        for (low, high), (first, last) in zip(sides(attrs, rank), sides(rims, rank), strict=True):
            rest.append((min(low, first), min(high, last)))
        ones = functional.pad(ones, [side for both in reversed(rest) for side in both], value=1.0)
        left = [p - m for both, kept in zip(sides(attrs, rank), rest, strict=True) for p, m in zip(both, kept, strict=True)]
        ones = functional.pad(ones, [left[2 * axis + side] for axis in reversed(range(rank)) for side in (0, 1)])
        unpadded = {n: v for n, v in window.items() if not n.startswith("pad")}
        return average(x, **window) / average(ones, **unpadded)

    return apply


def count(like: Tensor, size: int, length: int, kernel: int, stride: int, before: int, low: int, high: int) -> Tensor:
    """How many places of each window count."""
    begin = torch.arange(length) * stride - before
    return ((begin + kernel).clamp(max=size + high) - begin.clamp(min=-low)).to(like.dtype)


REFERENCES: Mapping[str, Callable[..., object]] = {
    "window_count": count,
    **{f"avg_pool{rank}d_counted": counted(rank) for rank in (1, 2, 3)},
}
