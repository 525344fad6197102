"""Maxima of windows, with their places."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from uol.ops.references.windows import each_axis, padded, sides

_MAXIMA = {1: functional.max_pool1d, 2: functional.max_pool2d, 3: functional.max_pool3d}


def max_pool_with_indices(rank: int) -> Callable[..., tuple[Tensor, Tensor]]:
    """PyTorch's over the last `rank` dims. Padding that differs before and behind is written out."""

    def apply(x: Tensor, *, kernel: int, **attrs: int) -> tuple[Tensor, Tensor]:
        window, stride = each_axis(attrs, "kernel", kernel, rank), each_axis(attrs, "stride", kernel, rank)
        pads, dilation = sides(attrs, rank), each_axis(attrs, "dilation", 1, rank)
        if all(low == high for low, high in pads):
            values, places = _MAXIMA[rank](x, window, stride, [low for low, _ in pads], dilation, return_indices=True)
            return values, places
        wide = padded(x, attrs, -torch.inf, rank)
        values, places = _MAXIMA[rank](wide, window, stride, dilation=dilation, return_indices=True)
        return values, _without(places, wide.shape[-rank:], x.shape[-rank:], pads)

    return apply


def _without(places: Tensor, wide: Sequence[int], own: Sequence[int], pads: Sequence[tuple[int, int]]) -> Tensor:
    """Places in a padded picture as places in the picture."""
    found, step = torch.zeros_like(places), 1
    for size, inner, (low, _) in reversed(list(zip(wide, own, pads, strict=True))):
        found, places, step = found + (places % size - low) * step, places // size, step * inner
    return found


REFERENCES: Mapping[str, Callable[..., object]] = {
    f"max_pool{rank}d_with_indices": max_pool_with_indices(rank) for rank in _MAXIMA
}
