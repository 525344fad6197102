"""Group normalisation."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from torch import Tensor
from torch.nn import functional


def group_mean(x: Tensor, groups: int) -> Tensor:
    """The mean of each group of channels."""
    return x.reshape(x.shape[0], groups, x[0:1].numel() // groups).mean(-1)


def group_norm(x: Tensor, gamma: Tensor, beta: Tensor, groups: int, eps: float = 1e-5) -> Tensor:
    """By the mean and the variance of each group of channels."""
    return functional.group_norm(x, groups, gamma, beta, eps)


def group_norm_relu(x: Tensor, gamma: Tensor, beta: Tensor, groups: int, eps: float = 1e-5) -> Tensor:
    """And the positive part of it."""
    return functional.relu(group_norm(x, gamma, beta, groups, eps))


REFERENCES: Mapping[str, Callable[..., object]] = {
    "group_mean": group_mean,
    "group_norm": group_norm,
    "group_norm_relu": group_norm_relu,
}
