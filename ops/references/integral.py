"""Rounding to whole numbers, and what is left over."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

Divide = Callable[[Tensor, Tensor], Tensor]


def or_zero(divide: Divide) -> Divide:
    """Division by zero gives 0."""
    return lambda a, b: torch.where(b == 0, 0, divide(a, torch.where(b == 0, 1, b)))


BITWISE = ("and", "or", "xor", "not", "left_shift", "right_shift")

REFERENCES: Mapping[str, Callable[..., object]] = {
    **{name: getattr(torch, name) for name in ("floor", "ceil", "round", "trunc", "frac")},
    "floor_divide": or_zero(torch.floor_divide),
    "remainder": or_zero(torch.remainder),
    "fmod": or_zero(torch.fmod),
    **{f"bitwise_{name}": getattr(torch, f"bitwise_{name}") for name in BITWISE},
}
