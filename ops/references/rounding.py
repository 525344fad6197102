"""Rounding within a reference, where a text rounds what its result is made of."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

SIGNIFICANT = {"f16": 11, "bf16": 8}
"""Bits of a number, the leading one with them (IEEE 754 binary16; bfloat16)."""
LEAST_EXPONENT = {"f16": -14, "bf16": -126}
"""Of the normal numbers: those below are multiples of the same."""
LARGEST = {"f16": 65504.0, "bf16": float.fromhex("0x1.fep127")}


def exact(x: Tensor) -> Tensor:
    """The values as they are."""
    return x


def rounding_to(dtype: str) -> Callable[[Tensor], Tensor]:
    """Rounds float64 or float32 once to a narrow type, to the nearest and ties to even; infinity beyond the largest. Values of
    other types stay as they are. (PyTorch's own conversion of a float64 rounds to float32 first.)

    >>> rounding_to("bf16")(torch.tensor([1 + 2.0**-8, 1 + 3 * 2.0**-8], dtype=torch.float64)).tolist()
    [1.0, 1.015625]
    """
    if dtype not in SIGNIFICANT:
        return exact

    def rounded(x: Tensor) -> Tensor:
        values = x.numpy().astype(np.float64)
        _, exponent = np.frexp(values)
        unit = np.maximum(exponent - 1, LEAST_EXPONENT[dtype]) - (SIGNIFICANT[dtype] - 1)
        near = np.ldexp(np.round(np.ldexp(values, -unit)), unit)
        near = np.where(np.abs(near) > LARGEST[dtype], np.copysign(np.inf, values), near)
        return torch.from_numpy(np.where(np.isfinite(values), near, values)).to(x.dtype)

    return rounded
