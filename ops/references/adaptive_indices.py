"""Maxima of adaptive windows, with their places."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from torch import Tensor
from torch.nn import functional

from uol.ops.references.windows import AXES

_MAXIMA = {1: functional.adaptive_max_pool1d, 2: functional.adaptive_max_pool2d, 3: functional.adaptive_max_pool3d}


def adaptive_max_pool_with_indices(rank: int) -> Callable[..., tuple[Tensor, Tensor]]:
    """PyTorch's over the last `rank` dims."""

    def apply(x: Tensor, **attrs: int) -> tuple[Tensor, Tensor]:
        values, places = _MAXIMA[rank](x, [attrs[f"out_{axis}"] for axis in AXES[rank]], return_indices=True)
        return values, places

    return apply


REFERENCES: Mapping[str, Callable[..., object]] = {
    f"adaptive_max_pool{rank}d_with_indices": adaptive_max_pool_with_indices(rank) for rank in _MAXIMA
}
