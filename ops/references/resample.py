"""Upsampling and downsampling of pictures."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.nn import functional


def resize(mode: str) -> Callable[..., Tensor]:
    """PyTorch's `interpolate` to the sizes that are given, outermost first."""
    order = ("out_d", "out_h", "out_w")
    return lambda x, **sizes: functional.interpolate(x, [sizes[n] for n in order if n in sizes], mode=mode)


def fraction(like: Tensor, size: int, length: int) -> Tensor:
    """How far the centre of each result lies beyond the pixel before it."""
    centre = (torch.arange(length, dtype=like.dtype) + 0.5) * size / length - 0.5
    return centre.clamp(min=0.0).frac()


REFERENCES: Mapping[str, Callable[..., object]] = {
    **{f"upsample_nearest{rank}d": resize("nearest") for rank in (1, 2, 3)},
    "upsample_fraction": fraction,
    "upsample_linear1d": resize("linear"),
    "upsample_bilinear2d": resize("bilinear"),
}
