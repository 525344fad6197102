"""Upsampling and downsampling of pictures."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.nn import functional


def nearest(x: Tensor, **sizes: int) -> Tensor:
    """PyTorch's `interpolate` to the sizes that are given, outermost first."""
    return functional.interpolate(x, [sizes[n] for n in ("out_d", "out_h", "out_w") if n in sizes], mode="nearest")


def centres(size: int, length: int) -> Tensor:
    """Where the centre of each result lies among the pixels, in units of 1 / (2 * length)."""
    return ((2 * torch.arange(length) + 1) * size - length).clamp(0, 2 * length * (size - 1))


def hats(x: Tensor, size: int, length: int) -> Tensor:
    """What each pixel adds to each result: a matrix [length, size]. Exact numerators, so that f64 can be judged, too."""
    distance = (centres(size, length)[:, None] - 2 * length * torch.arange(size)).abs()
    return (2 * length - distance).clamp(min=0).to(x.dtype) / (2 * length)


def corner_hats(x: Tensor, size: int, length: int) -> Tensor:
    """As `hats`, where the corners stay corners."""
    steps = max(length - 1, 1)
    distance = (torch.arange(length)[:, None] * (size - 1) - steps * torch.arange(size)).abs()
    return (steps - distance).clamp(min=0).to(x.dtype) / steps


def corner_fraction(like: Tensor, size: int, length: int) -> Tensor:
    """As `fraction`, where the corners stay corners."""
    steps = max(length - 1, 1)
    return (torch.arange(length) * (size - 1)).remainder(steps).to(like.dtype) / steps


def fraction(like: Tensor, size: int, length: int) -> Tensor:
    """How far the centre of each result lies beyond the pixel before it, the last pixel's repeated beyond the end."""
    centre = ((2 * torch.arange(length) + 1) * size - length).clamp(min=0)
    return centre.remainder(2 * length).to(like.dtype) / (2 * length)


def share(like: Tensor, size: int, length: int) -> Tensor:
    """What each pixel gives to the results from the first on whose centre is at most one pixel before its own."""
    taps, unit = 2 * length // size + 1, 2 * length
    centre = (2 * torch.arange(length + taps) + 1) * size - length
    return _from_the_first(centre, centre.clamp(0, unit * (size - 1)), unit, taps, size).to(like.dtype) / unit


def corner_share(like: Tensor, size: int, length: int) -> Tensor:
    """As `share`, where the corners stay corners."""
    unit = max(length - 1, 1)
    taps = 2 * unit // max(size - 1, 1) + 2
    centre = torch.arange(length + taps) * (size - 1)
    return _from_the_first(centre, centre, unit, taps, size).to(like.dtype) / unit


def _from_the_first(centre: Tensor, held: Tensor, unit: int, taps: int, size: int) -> Tensor:
    """For each pixel the hats of so many results; where a centre lies among the pixels, and where it is held between them."""
    found = torch.zeros(size, taps, dtype=torch.int64)
    for pixel in range(size):
        first = int((centre >= unit * (pixel - 1)).nonzero()[0]) if pixel else 0
        found[pixel] = (unit - (held[first : first + taps] - unit * pixel).abs()).clamp(min=0)
    return found


REFERENCES: Mapping[str, Callable[..., object]] = {
    **{f"upsample_nearest{rank}d": nearest for rank in (1, 2, 3)},
    "upsample_fraction": fraction,
    "upsample_corner_fraction": corner_fraction,
    "upsample_share": share,
    "upsample_corner_share": corner_share,
    "upsample_linear1d_corners": lambda x, out_w: x @ corner_hats(x, x.shape[2], out_w).T,
    "upsample_bilinear2d_corners": lambda x, out_h, out_w: (
        corner_hats(x, x.shape[2], out_h) @ x @ corner_hats(x, x.shape[3], out_w).T
    ),
    "upsample_linear1d": lambda x, out_w: x @ hats(x, x.shape[2], out_w).T,
    "upsample_bilinear2d": lambda x, out_h, out_w: hats(x, x.shape[2], out_h) @ x @ hats(x, x.shape[3], out_w).T,
}
