"""Convolutions."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from torch import Tensor
from torch.nn import functional

from uol.ops.references.windows import each_axis, padded

_CONVOLUTIONS = {1: functional.conv1d, 2: functional.conv2d, 3: functional.conv3d}


def convolution(rank: int) -> Callable[..., Tensor]:
    """The convolution over the last `rank` dims."""

    def apply(x: Tensor, w: Tensor, b: Tensor | None = None, groups: int = 1, **attrs: int) -> Tensor:
        stride, dilation = each_axis(attrs, "stride", 1, rank), each_axis(attrs, "dilation", 1, rank)
        return _CONVOLUTIONS[rank](padded(x, attrs, 0.0, rank), w, b, stride=stride, dilation=dilation, groups=groups)

    return apply


REFERENCES: Mapping[str, Callable[..., object]] = {
    "conv1d": convolution(1),
    "conv1d_bias": convolution(1),
    "conv2d": convolution(2),
    "conv2d_bias": convolution(2),
}
