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
    dims = [d for d in range(x.dim()) if d != 1]
    y = functional.batch_norm(x, None, None, gamma, beta, training=True, eps=eps)
    new_mean = (1 - momentum) * mean + momentum * x.mean(dims)  # lerp takes a difference, which infinities have none of
    return y, new_mean, (1 - momentum) * var + momentum * x.var(dims, correction=1)


REFERENCES: Mapping[str, Callable[..., object]] = {"batch_norm_training": batch_norm_training}
