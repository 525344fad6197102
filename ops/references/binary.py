"""Functions of two and three numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch

_BY_NAME = ("add", "sub", "mul", "div", "pow", "maximum", "minimum", "hypot", "lerp", "addcmul", "addcdiv", "clamp")
_MORE = ("copysign", "logaddexp")

REFERENCES: Mapping[str, Callable[..., object]] = {
    **{name: getattr(torch, name) for name in (*_BY_NAME, *_MORE)},
    "fma": lambda a, b, c: torch.addcmul(c, a, b),
}
