"""Losses between two tensors of one shape."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from torch import Tensor
from torch.nn import functional


def positive(reduction: str) -> Callable[..., Tensor]:
    """PyTorch's formula of `pos_weight`, reduced so; its function has no gradient for the weight."""

    def loss(x: Tensor, t: Tensor, pos_weight: Tensor) -> Tensor:
        each = (1 - t) * x - (1 + (pos_weight - 1) * t) * functional.logsigmoid(x)
        return each if reduction == "none" else each.sum() if reduction == "sum" else each.mean()

    return loss


REFERENCES: Mapping[str, Callable[..., object]] = {
    "l1_loss": functional.l1_loss,
    "mse_loss": functional.mse_loss,
    "huber_loss": lambda x, t, delta=1.0: functional.huber_loss(x, t, delta=delta),
    "smooth_l1_loss": lambda x, t, beta=1.0: functional.smooth_l1_loss(x, t, beta=beta),
    "binary_cross_entropy": functional.binary_cross_entropy,
    "binary_cross_entropy_with_logits": functional.binary_cross_entropy_with_logits,
    **{
        f"weighted_binary_cross_entropy_with_logits{form}": positive(reduction)
        for form, reduction in (("", "mean"), ("_each", "none"), ("_sum", "sum"))
    },
    "kl_div": lambda x, t: functional.kl_div(x, t, reduction="sum") / x.numel(),
    "poisson_nll_loss": functional.poisson_nll_loss,
    "soft_margin_loss": functional.soft_margin_loss,
    "hinge_embedding_loss": lambda x, t, margin=1.0: functional.hinge_embedding_loss(x, t, margin),
}
