"""Functions of one number that integrals and series define. Below 0 those of gamma are PyTorch's of 1 - x, reflected at the
nearest whole number: PyTorch's own take the tangent of pi times the fraction, and lose digits where that is near 1."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import log, pi

import torch
from torch import Tensor


def lgamma(x: Tensor) -> Tensor:
    """The logarithm of the absolute value of gamma."""
    reflected, angle = _reflected(x)
    return torch.where(reflected, log(pi) - angle.sin().abs().log() - torch.lgamma(1 - x), torch.lgamma(x))


def digamma(x: Tensor) -> Tensor:
    """The derivative of `lgamma`."""
    reflected, angle = _reflected(x)
    return torch.where(reflected, torch.digamma(1 - x) - pi / angle.tan(), torch.digamma(x))


def i0(x: Tensor) -> Tensor:
    """PyTorch's scaled one: its `i0` itself overflows where its exponential does, and is NaN at infinity."""
    half = (0.5 * x.abs()).exp()
    return torch.where(x.isinf(), torch.inf, torch.special.i0e(x) * half * half)


def _reflected(x: Tensor) -> tuple[Tensor, Tensor]:
    """A mask of the x below 0 that are no pole, and pi times their distance from the nearest pole."""
    away = x - x.round()
    reflected = (x < 0) & (away != 0) & x.isfinite()
    return reflected, pi * torch.where(reflected, away, 0.5)


REFERENCES: Mapping[str, Callable[..., object]] = {
    "lgamma": lgamma,
    "digamma": digamma,
    "erfinv": torch.erfinv,
    "i0": i0,
}
