"""Pooling."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.nn import functional

from uol.ops.references.windows import each_axis, padded

_MAXIMA = {1: functional.max_pool1d, 2: functional.max_pool2d, 3: functional.max_pool3d}
_AVERAGES = {1: functional.avg_pool1d, 2: functional.avg_pool2d, 3: functional.avg_pool3d}


def max_pool(rank: int) -> Callable[..., Tensor]:
    """The maximum over windows of the last `rank` dims."""

    def apply(x: Tensor, *, kernel: int, **attrs: int) -> Tensor:
        window = each_axis(attrs, "kernel", kernel, rank)
        stride, dilation = each_axis(attrs, "stride", kernel, rank), each_axis(attrs, "dilation", 1, rank)
        return _MAXIMA[rank](padded(x, attrs, -torch.inf, rank), window, stride, dilation=dilation)

    return apply


def avg_pool(rank: int) -> Callable[..., Tensor]:
    """The average over windows of the last `rank` dims; padding counts."""

    def apply(x: Tensor, *, kernel: int, **attrs: int) -> Tensor:
        window = each_axis(attrs, "kernel", kernel, rank)
        return _AVERAGES[rank](padded(x, attrs, 0.0, rank), window, each_axis(attrs, "stride", kernel, rank))

    return apply


REFERENCES: Mapping[str, Callable[..., object]] = {
    "max_pool1d": max_pool(1),
    "avg_pool1d": avg_pool(1),
    "max_pool2d": max_pool(2),
    "avg_pool2d": avg_pool(2),
    "global_avg_pool2d": lambda x: x.mean((2, 3)),
}
