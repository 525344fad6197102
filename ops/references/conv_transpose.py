"""Transposed convolutions."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from torch import Tensor
from torch.nn import functional

from uol.ops.references.windows import each_axis, sides

_TRANSPOSED = {1: functional.conv_transpose1d, 2: functional.conv_transpose2d, 3: functional.conv_transpose3d}


def transposed(rank: int) -> Callable[..., Tensor]:
    """The transposed convolution over the last `rank` dims: PyTorch's without padding, then cropped (or zeros appended)."""

    def apply(x: Tensor, w: Tensor, groups: int = 1, **attrs: int) -> Tensor:
        stride, dilation = each_axis(attrs, "stride", 1, rank), each_axis(attrs, "dilation", 1, rank)
        full = _TRANSPOSED[rank](x, w, stride=stride, dilation=dilation, groups=groups)
        more = each_axis(attrs, "output_pad", 0, rank)
        crop = [(-before, extra - after) for (before, after), extra in zip(sides(attrs, rank), more, strict=True)]
        return functional.pad(full, [side for both in reversed(crop) for side in both])

    return apply


REFERENCES: Mapping[str, Callable[..., object]] = {"conv_transpose1d": transposed(1), "conv_transpose2d": transposed(2)}
