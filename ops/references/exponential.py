"""Softmax and its kin."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.nn import functional


def masked_softmax(x: Tensor, mask: Tensor) -> Tensor:
    """Over what the mask keeps; a row of which nothing is kept gives 0."""
    kept = x.masked_fill(~mask, -torch.inf).softmax(-1)
    return torch.where(mask.any(-1, keepdim=True), kept, 0.0)


REFERENCES: Mapping[str, Callable[..., object]] = {
    "softmax": lambda x: x.softmax(-1),
    "softmin": lambda x: functional.softmin(x, -1),
    "log_softmax": lambda x: x.log_softmax(-1),
    "logsumexp": lambda x: x.logsumexp(-1),
    "masked_softmax": masked_softmax,
}
