"""Convolutions with what follows them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from torch import Tensor
from torch.nn import functional


def conv2d_bn(x: Tensor, w: Tensor, *scaling: Tensor, stride: int = 1, pad: int = 0, eps: float = 1e-5) -> Tensor:
    """A convolution and an inference batch norm; `scaling` is gamma, beta, mean and variance."""
    gamma, beta, mean, var = scaling
    return functional.batch_norm(functional.conv2d(x, w, stride=stride, padding=pad), mean, var, gamma, beta, eps=eps)


REFERENCES: Mapping[str, Callable[..., object]] = {
    "conv2d_bn": conv2d_bn,
    "conv2d_bn_relu": lambda *inputs, **attrs: conv2d_bn(*inputs, **attrs).relu(),
    "conv2d_bn_add_relu": lambda *inputs, **attrs: (conv2d_bn(*inputs[:-1], **attrs) + inputs[-1]).relu(),
}
