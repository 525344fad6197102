"""Elements moved and none computed."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.nn import functional


def cut(x: Tensor, start: int, stop: int, step: int = 1) -> Tensor:
    """x[..., start:stop:step]."""
    return x[..., start:stop:step]


def pixel_unshuffle(x: Tensor, factor: int) -> Tensor:
    """The pixels of each square as channels; PyTorch's own leaves an empty batch as it is."""
    squares = x.unflatten(3, (x.shape[3] // factor, factor)).unflatten(2, (x.shape[2] // factor, factor))
    channels: Tensor = squares.permute(0, 1, 3, 5, 2, 4).flatten(1, 3)
    return channels


REFERENCES: Mapping[str, Callable[..., object]] = {
    "slice": cut,
    "transpose": lambda x: x.mT.contiguous(),
    "flip": lambda x: x.flip(-1),
    "roll": lambda x, shift: x.roll(shift, -1),
    "repeat": lambda x, times: torch.cat([x] * times, -1) if times else x[..., :0],
    "repeat_interleave": lambda x, times: x.repeat_interleave(times, -1),
    "tril": torch.tril,
    "triu": torch.triu,
    "diagonal": lambda x: x.diagonal(dim1=-2, dim2=-1),
    "pixel_shuffle": lambda x, factor: functional.pixel_shuffle(x, factor),
    "pixel_unshuffle": pixel_unshuffle,
    "channel_shuffle": lambda x, groups: x.unflatten(1, (groups, -1)).transpose(1, 2).flatten(1, 2),
}
