"""Types of the language in float64 and int64: what holds their values, and how a value becomes one of them."""

from __future__ import annotations

import torch
from torch import Tensor

from uol.ir.types import DTYPES, INDEX, is_float

NARROW = {
    "f16": torch.float16,
    "bf16": torch.bfloat16,
    "f8e4m3": torch.float8_e4m3fn,
    "f8e5m2": torch.float8_e5m2,
}
"""Types that a cast rounds to where it stands; f32 values are kept as float64."""

HAVE_INFINITY = frozenset(NARROW) - {"f8e4m3"}


def storage(dtype: str) -> torch.dtype:
    """What values of a type are evaluated in."""
    if is_float(dtype):
        return torch.float64
    return torch.bool if dtype == "bool" else torch.int64


def cast(value: Tensor, dtype: str) -> Tensor:
    """To another type: floats to integers toward zero within the range, NaN to 0; integers wrap. The cotangent of what is
    rounded here has its type, too: what several uses add up to is rounded once. It is NaN where a number is infinite once
    it is rounded: autograd would go on with the number, a gradient with the infinity that is stored."""
    if dtype in NARROW:
        value = value.double()
        narrow = narrowed(value.detach(), dtype)
        kept = value if dtype in HAVE_INFINITY else narrow
        found = torch.where(value.isfinite(), value + (narrow - value.detach()), kept)  # infinities have no difference
        if found.requires_grad:
            overflows = value.detach().isfinite() & narrow.isinf()
            found.register_hook(lambda cotangent: torch.where(overflows, torch.nan, cast(cotangent, dtype)))
        return found
    if is_float(dtype):
        return value.double()
    if not value.is_floating_point():
        return wrapped(value.long(), dtype)
    low, high = limits(dtype)
    whole = value.detach().nan_to_num(0.0, float("inf"), float("-inf")).trunc()
    inside = (whole >= low) & (whole < float(high + 1))
    ends = torch.where(whole < low, low, high)
    return torch.where(inside, torch.where(inside, whole, 0.0).long(), ends)


def narrowed(value: Tensor, dtype: str) -> Tensor:
    """The nearest values of a narrow type. PyTorch rounds a float64 by way of float32, which is right for all that float32
    has exactly; the type f8e4m3 has no infinity and keeps what lies beyond it at its largest value."""
    if dtype == "f8e4m3":
        value = value.clamp(-448.0, 448.0)
    return value.to(NARROW[dtype]).double()


def limits(dtype: str) -> tuple[int, int]:
    """The least and the greatest value of an integer type."""
    info = DTYPES["i64" if dtype == INDEX else dtype]
    return (0, 2**info.bits - 1) if info.kind == "uint" else (-(2 ** (info.bits - 1)), 2 ** (info.bits - 1) - 1)


def wrapped(value: Tensor, dtype: str) -> Tensor:
    """A result in its type: integers modulo two to the power of their bits."""
    if dtype in ("bool", INDEX, "i64") or is_float(dtype):
        return value
    low, high = limits(dtype)
    return torch.remainder(value - low, high - low + 1) + low
