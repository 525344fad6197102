"""Losses of classification, for each row and summed."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.nn import functional

from uol.ops.references.loss_forms import FORMS, Loss, with_reduction


def by_class(loss: Loss) -> Loss:
    """PyTorch's loss of a target in classes; what is ignored, or no class, counts nothing."""

    def apply(x: Tensor, t: Tensor, w: Tensor | None = None, ignore_index: int = -100, **options: object) -> Tensor:
        kept = (t != ignore_index) & (t >= 0) & (t < x.shape[1])
        return loss(x, torch.where(kept, t, -100), weight=w, **options)

    return apply


def ranking(a: Tensor, b: Tensor, t: Tensor, margin: float = 0.0, *, reduction: str) -> Tensor:
    """max(0, -t*(a - b) + margin), of any rank."""
    each = (-t * (a - b) + margin).clamp(min=0)
    return each if reduction == "none" else each.sum()


_LOSSES: Mapping[str, Loss] = {
    "nll_loss": by_class(functional.nll_loss),
    "weighted_nll_loss": by_class(functional.nll_loss),
    "cross_entropy": by_class(functional.cross_entropy),
    "weighted_cross_entropy": by_class(functional.cross_entropy),
    "soft_cross_entropy": functional.cross_entropy,
    "margin_ranking_loss": ranking,
    "triplet_margin_loss": functional.triplet_margin_loss,
}

REFERENCES: Mapping[str, Callable[..., object]] = {
    f"{name}_{form}": with_reduction(loss, reduction) for name, loss in _LOSSES.items() for form, reduction in FORMS.items()
}
