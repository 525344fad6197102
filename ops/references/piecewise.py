"""Activations made of straight pieces."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.nn import functional


def threshold(x: Tensor, at_most: float, value: float) -> Tensor:
    """x, or `value` where x <= at_most."""
    return functional.threshold(x, at_most, value)


REFERENCES: Mapping[str, Callable[..., object]] = {
    "hardsigmoid": functional.hardsigmoid,
    "hardswish": functional.hardswish,
    "hardtanh": functional.hardtanh,
    "hardshrink": functional.hardshrink,
    "softshrink": functional.softshrink,
    "tanhshrink": functional.tanhshrink,
    "threshold": threshold,
    "prelu": lambda x, slope: torch.where(x > 0, x, slope * x),
}
