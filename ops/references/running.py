"""Running reductions of rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.nn import functional


def moving_average(x: Tensor, window: int) -> Tensor:
    """The mean of the last `window` elements, what lies before the first counted as 0."""
    return functional.pad(x, (window - 1, 0)).unfold(-1, window, 1).mean(-1)


def linear_recurrence(a: Tensor, b: Tensor) -> Tensor:
    """Step by step."""
    steps = [torch.zeros_like(b[..., 0])] if b.shape[-1] else []
    for factor, term in zip(a.unbind(-1), b.unbind(-1), strict=True):
        steps.append(factor * steps[-1] + term)
    return torch.stack(steps[1:], -1) if steps else b


REFERENCES: Mapping[str, Callable[..., object]] = {
    "cumsum": lambda x: x.cumsum(-1),
    "cumprod": lambda x: x.cumprod(-1),
    "cummax": lambda x: x.cummax(-1).values,
    "cummin": lambda x: x.cummin(-1).values,
    "logcumsumexp": lambda x: x.logcumsumexp(-1),
    "linear_recurrence": linear_recurrence,
    "moving_average": moving_average,
    "diff": lambda x: x.diff(dim=-1),
}
