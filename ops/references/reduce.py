"""Reductions of rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor


def max_with_index(x: Tensor) -> tuple[Tensor, Tensor]:
    """The first NaN, else the first of the largest; PyTorch's `max` may give any of equal ones."""
    return x.amax(-1), x.argmax(-1)


def min_with_index(x: Tensor) -> tuple[Tensor, Tensor]:
    """The first NaN, else the first of the smallest."""
    return x.amin(-1), x.argmin(-1)


def over_rows(name: str) -> Callable[[Tensor], Tensor]:
    """PyTorch's reduction of that name over the last dim."""
    return lambda x: getattr(torch, name)(x, -1)


REFERENCES: Mapping[str, Callable[..., object]] = {
    **{name: over_rows(name) for name in ("sum", "mean", "prod", "amax", "amin", "argmax", "argmin", "any", "all")},
    "count_nonzero": lambda x: torch.count_nonzero(x, -1),
    "max_with_index": max_with_index,
    "min_with_index": min_with_index,
}
