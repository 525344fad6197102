"""Randomness: Threefry-2x32-20, word by word."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

_MASK = 0xFFFFFFFF
_ROTATIONS = (13, 15, 26, 6, 17, 29, 16, 24)


def bits(seed: int, count: int) -> Tensor:
    """So many words of Threefry-2x32 with twenty rounds (Salmon et al., SC 2011), signed: those of block 0, of block 1, ..."""
    block = torch.arange(-(-count // 2))
    keys = [seed & _MASK, seed >> 32 & _MASK]
    keys.append(keys[0] ^ keys[1] ^ 0x1BD11BDA)
    a, b = (block & _MASK) + keys[0] & _MASK, (block >> 32 & _MASK) + keys[1] & _MASK
    for number in range(20):
        a = a + b & _MASK
        turn = _ROTATIONS[number % 8]
        b = (b << turn & _MASK | b >> 32 - turn) ^ a
        if number % 4 == 3:
            step = number // 4 + 1
            a, b = a + keys[step % 3] & _MASK, b + keys[(step + 1) % 3] + step & _MASK
    words = torch.stack((a, b), 1).flatten()[:count]
    return words - (words >> 31 << 32)


def uniform(like: Tensor, seed: int) -> Tensor:
    """Numbers in [0, 1) of 24 bits, each from its place in row-major order."""
    drawn = (bits(seed, like.numel()) >> 8) * 2.0**-24 + 0.5
    return drawn.to(like.dtype).reshape(like.shape)


def dropout(x: Tensor, seed: int, p: float = 0.5) -> Tensor:
    """Each element dropped with probability p, the others scaled up."""
    kept = uniform(x.detach().double(), seed) >= p
    return torch.where(kept, x / (1 - p) if p < 1 else 0 * x, 0.0)


REFERENCES: Mapping[str, Callable[..., object]] = {"uniform": uniform, "dropout": dropout}
