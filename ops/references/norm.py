"""Normalisations."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from torch import Tensor
from torch.nn import functional


def batch_norm(x: Tensor, gamma: Tensor, beta: Tensor, mean: Tensor, var: Tensor, eps: float = 1e-5) -> Tensor:
    """The inference form."""
    return functional.batch_norm(x, mean, var, gamma, beta, eps=eps)


def batch_norm_stats(x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and variance of the population, for each channel."""
    rows = x.transpose(0, 1).flatten(1)
    return rows.mean(1), (rows - rows.mean(1, keepdim=True)).square().mean(1)


def batch_norm_train(x: Tensor, gamma: Tensor, beta: Tensor, eps: float = 1e-5) -> tuple[Tensor, Tensor, Tensor]:
    """With the batch's own statistics, which come out too."""
    y = functional.batch_norm(x, None, None, gamma, beta, training=True, eps=eps) if x.numel() else x
    return y, *batch_norm_stats(x)


def layer_norm(x: Tensor, gamma: Tensor, beta: Tensor, eps: float = 1e-5) -> Tensor:
    """Over the last dim."""
    return functional.layer_norm(x, x.shape[-1:], gamma, beta, eps)


def rms_norm(x: Tensor, gamma: Tensor, eps: float = 1e-6) -> Tensor:
    """Over the last dim."""
    return functional.rms_norm(x, x.shape[-1:], gamma, eps)


def rms_norm_residual(x: Tensor, residual: Tensor, gamma: Tensor, eps: float = 1e-6) -> tuple[Tensor, Tensor]:
    """Of a sum, which comes out too."""
    return rms_norm(x + residual, gamma, eps), x + residual


def instance_norm(x: Tensor, gamma: Tensor, beta: Tensor, eps: float = 1e-5) -> Tensor:
    """Every channel of every sample by itself."""
    return functional.instance_norm(x, weight=gamma, bias=beta, eps=eps) if x.numel() else x


REFERENCES: Mapping[str, Callable[..., object]] = {
    "batch_norm": batch_norm,
    "batch_norm_stats": batch_norm_stats,
    "batch_norm_train": batch_norm_train,
    "layer_norm": layer_norm,
    "rms_norm": rms_norm,
    "rms_norm_residual": rms_norm_residual,
    "instance_norm": instance_norm,
}
