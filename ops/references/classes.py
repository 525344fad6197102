"""Losses of classification."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.nn import functional


def counted(x: Tensor, t: Tensor, ignore_index: int) -> tuple[Tensor, Tensor]:
    """The rows that count, with their classes."""
    kept = (t != ignore_index) & (t >= 0) & (t < x.shape[1])
    return x[kept], t[kept]


def nll_loss(x: Tensor, t: Tensor, w: Tensor | None = None, ignore_index: int = -100) -> Tensor:
    """PyTorch's, on the rows that count."""
    return functional.nll_loss(*counted(x, t, ignore_index), weight=w)


def cross_entropy(
    x: Tensor, t: Tensor, w: Tensor | None = None, ignore_index: int = -100, label_smoothing: float = 0.0
) -> Tensor:
    """PyTorch's, on the rows that count."""
    return functional.cross_entropy(*counted(x, t, ignore_index), weight=w, label_smoothing=label_smoothing)


def cross_entropy_rows(x: Tensor, t: Tensor) -> Tensor:
    """The loss of each row; 0 where the target is no class."""
    inside = (t >= 0) & (t < x.shape[1])
    return torch.where(inside, functional.cross_entropy(x, torch.where(inside, t, 0), reduction="none"), 0.0)


REFERENCES: Mapping[str, Callable[..., object]] = {
    "nll_loss": nll_loss,
    "weighted_nll_loss": nll_loss,
    "cross_entropy": cross_entropy,
    "weighted_cross_entropy": cross_entropy,
    "soft_cross_entropy": functional.cross_entropy,
    "cross_entropy_rows": cross_entropy_rows,
    "margin_ranking_loss": lambda a, b, t, margin=0.0: (-t * (a - b) + margin).clamp(min=0).mean(),
    "triplet_margin_loss": lambda anchor, near, far, margin=1.0: functional.triplet_margin_loss(anchor, near, far, margin),
}
