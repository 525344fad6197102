"""The text of Python's own help, `pydoc_data.topics`, as bytes: batches by seed and step, and a part kept apart."""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from torch import Tensor

KEPT_APART = 0.1
"""The share of the text, at its end, that no batch has."""


@cache
def text() -> Tensor:
    """All topics in the order of their names, u8."""
    from pydoc_data.topics import topics

    joined = "\n".join(topics[name] for name in sorted(topics))
    return torch.frombuffer(bytearray(joined, "utf-8"), dtype=torch.uint8)


def batch(seed: int, step: int, count: int, context: int) -> tuple[Tensor, Tensor]:
    """`count` places of the text drawn by seed and step: bytes, and the byte after each, i64 [count, context]."""
    own = text()[: _first_kept_apart()]
    generator = np.random.Generator(np.random.Philox(key=[seed, step]))
    starts = generator.integers(0, len(own) - context, count)
    return _windows(own, torch.from_numpy(starts), context)


def validation(count: int, context: int) -> tuple[Tensor, Tensor]:
    """`count` places of the part that no batch has, evenly apart, the same ever."""
    kept = text()[_first_kept_apart() :]
    return _windows(kept, torch.linspace(0, len(kept) - context - 1, count).long(), context)


def _windows(part: Tensor, starts: Tensor, context: int) -> tuple[Tensor, Tensor]:
    at = starts[:, None] + torch.arange(context)
    return part[at].long(), part[at + 1].long()


def _first_kept_apart() -> int:
    return int(len(text()) * (1 - KEPT_APART))
