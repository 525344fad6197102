"""Windows as rows of a matrix, and their sums."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from torch import Tensor
from torch.nn import functional

from uol.ops.references.windows import each_axis


def options(attrs: Mapping[str, int], kernel: int) -> dict[str, tuple[int, ...]]:
    """PyTorch's options of a window in two dims."""
    found = {name: each_axis(attrs, name, 1, 2) for name in ("stride", "dilation")}
    return {"kernel_size": each_axis(attrs, "kernel", kernel, 2), "padding": each_axis(attrs, "pad", 0, 2), **found}


def unfold(x: Tensor, *, kernel: int, **attrs: int) -> Tensor:
    """PyTorch's, with attributes for each axis."""
    return functional.unfold(x, **options(attrs, kernel))


def fold(x: Tensor, *, out_h: int, out_w: int, kernel: int, **attrs: int) -> Tensor:
    """PyTorch's, with attributes for each axis."""
    return functional.fold(x, (out_h, out_w), **options(attrs, kernel))


REFERENCES: Mapping[str, Callable[..., object]] = {
    "im2col": unfold,
    "col2im": fold,
    "sliding_windows": lambda x, size, step: x.unfold(-1, size, step),
}
