"""Rounding to whole numbers, and what is left over."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

Divide = Callable[[Tensor, Tensor], Tensor]


def or_zero(divide: Divide) -> Divide:
    """Division by zero gives 0."""
    return lambda a, b: torch.where(b == 0, 0, divide(a, torch.where(b == 0, 1, b)))


def left_shift(a: Tensor, b: Tensor) -> Tensor:
    """The shift is of 64 bits, of which 32 are left: the widest type that it is for has as many."""
    return torch.bitwise_left_shift(a, b).to(torch.int32).long()


REFERENCES: Mapping[str, Callable[..., object]] = {
    **{name: getattr(torch, name) for name in ("floor", "ceil", "round", "trunc", "frac")},
    "floor_divide": or_zero(torch.floor_divide),
    "remainder": or_zero(torch.remainder),
    "fmod": or_zero(torch.fmod),
    "bitwise_not": torch.bitwise_not,
    "bitwise_left_shift": left_shift,
    "bitwise_right_shift": torch.bitwise_right_shift,
}
