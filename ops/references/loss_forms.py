"""Losses between two tensors of one shape, for each element and summed."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from torch import Tensor
from torch.nn import functional

Loss = Callable[..., Tensor]
FORMS = {"each": "none", "sum": "sum"}
"""PyTorch's reduction, by the end of our operator's name."""

_LOSSES: Mapping[str, Loss] = {
    "l1_loss": functional.l1_loss,
    "mse_loss": functional.mse_loss,
    "huber_loss": functional.huber_loss,
    "smooth_l1_loss": functional.smooth_l1_loss,
    "binary_cross_entropy": functional.binary_cross_entropy,
    "binary_cross_entropy_with_logits": functional.binary_cross_entropy_with_logits,
    "kl_div": functional.kl_div,
    "poisson_nll_loss": functional.poisson_nll_loss,
    "soft_margin_loss": functional.soft_margin_loss,
    "hinge_embedding_loss": functional.hinge_embedding_loss,
}


def with_reduction(loss: Loss, reduction: str) -> Loss:
    """PyTorch's loss, reduced so."""
    return lambda *tensors, **attrs: loss(*tensors, **attrs, reduction=reduction)


REFERENCES: Mapping[str, Callable[..., object]] = {
    f"{name}_{form}": with_reduction(loss, reduction) for name, loss in _LOSSES.items() for form, reduction in FORMS.items()
}
