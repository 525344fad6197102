"""Maxima of windows, with their places."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from torch import Tensor
from torch.nn import functional

from uol.ops.references.windows import each_axis

_MAXIMA = {1: functional.max_pool1d, 2: functional.max_pool2d, 3: functional.max_pool3d}


def max_pool_with_indices(rank: int) -> Callable[..., tuple[Tensor, Tensor]]:
    """PyTorch's over the last `rank` dims."""

    def apply(x: Tensor, *, kernel: int, **attrs: int) -> tuple[Tensor, Tensor]:
        window, stride = each_axis(attrs, "kernel", kernel, rank), each_axis(attrs, "stride", kernel, rank)
        pad, dilation = each_axis(attrs, "pad", 0, rank), each_axis(attrs, "dilation", 1, rank)
        values, places = _MAXIMA[rank](x, window, stride, pad, dilation, return_indices=True)
        return values, places

    return apply


REFERENCES: Mapping[str, Callable[..., object]] = {
    f"max_pool{rank}d_with_indices": max_pool_with_indices(rank) for rank in _MAXIMA
}
