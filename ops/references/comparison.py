"""Comparisons and truth values."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor


def masked_fill(x: Tensor, mask: Tensor, value: float) -> Tensor:
    """x, or `value` where the mask holds."""
    return x.masked_fill(mask, value)


_COMPARISONS = ("eq", "ne", "lt", "le", "gt", "ge", "isnan", "isinf", "isfinite")
_TRUTH = ("logical_and", "logical_or", "logical_xor", "logical_not")

REFERENCES: Mapping[str, Callable[..., object]] = {
    **{name: getattr(torch, name) for name in (*_COMPARISONS, *_TRUTH)},
    "choose": torch.where,
    "isin": torch.isin,
    "masked_fill": masked_fill,
}
