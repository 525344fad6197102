"""Running reductions of rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from torch import Tensor
from torch.nn import functional


def moving_average(x: Tensor, window: int) -> Tensor:
    """The mean of the last `window` elements, what lies before the first counted as 0."""
    return functional.pad(x, (window - 1, 0)).unfold(-1, window, 1).mean(-1)


REFERENCES: Mapping[str, Callable[..., object]] = {
    "cumsum": lambda x: x.cumsum(-1),
    "cumprod": lambda x: x.cumprod(-1),
    "cummax": lambda x: x.cummax(-1).values,
    "cummin": lambda x: x.cummin(-1).values,
    "logcumsumexp": lambda x: x.logcumsumexp(-1),
    "moving_average": moving_average,
    "diff": lambda x: x.diff(dim=-1),
}
