"""Batch normalisation in training, with a residual and relu behind it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor

from uol.ops.references.running_norm import batch_norm_training


def batch_norm_relu(x: Tensor, *given: Any, **options: Any) -> tuple[Tensor, ...]:
    """The normalised values, cut off at 0, and the running statistics after them."""
    y, *statistics = batch_norm_training(x, *given, **options)
    return y.relu(), *statistics


def batch_norm_add_relu(
    x: Tensor, gamma: Tensor, beta: Tensor, mean: Tensor, var: Tensor, z: Tensor, **options: float
) -> tuple[Tensor, ...]:
    """The normalised values with `z` added, cut off at 0, and the running statistics after them."""
    y, *statistics = batch_norm_training(x, gamma, beta, mean, var, **options)
    return (y + z).relu(), *statistics


REFERENCES: Mapping[str, Callable[..., object]] = {
    "batch_norm_mixed": batch_norm_training,
    "batch_norm_relu_mixed": batch_norm_relu,
    "batch_norm_add_relu_mixed": batch_norm_add_relu,
}
