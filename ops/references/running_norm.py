"""Batch normalisation in training, with its running statistics."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from torch import Tensor
from torch.nn import functional


def batch_norm_training(
    x: Tensor, gamma: Tensor, beta: Tensor, mean: Tensor, var: Tensor, momentum: float = 0.1, eps: float = 1e-5
) -> tuple[Tensor, ...]:
    """The normalised values, and the running statistics after them."""
    if not x.shape[1]:  # no channels: PyTorch's own function fails there
        return x, mean, var
    new_mean, new_var = mean.clone(), var.clone()
    y = functional.batch_norm(x, new_mean, new_var, gamma, beta, training=True, momentum=momentum, eps=eps)
    return y, new_mean, new_var


REFERENCES: Mapping[str, Callable[..., object]] = {"batch_norm_training": batch_norm_training}
