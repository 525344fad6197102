"""What takes the place of PyTorch's convolutions. As in the modules beside this one, each class differs from its parent in
`forward` alone, so that a layer that is made one keeps its parameters, its buffers, its hooks and its name. `uol.replace` does
so."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from uol.pytorch.bridge import operator
from uol.pytorch.layers.window_options import AXES, EDGES

_add, _conv2d_bias = operator("add"), operator("conv2d_bias")
_conv = {n: operator(f"conv{n}d") for n in (1, 2, 3)}
_transposed = {n: operator(f"conv_transpose{n}d") for n in (1, 2, 3)}


def by_axis(option: str, values: Any, rank: int) -> dict[str, int]:
    """An attribute for each axis: `stride_h=2, stride_w=1`; `stride=2` in one dimension."""
    if rank == 1:
        return {option: values[0]}
    return {f"{option}_{axis}": each for axis, each in zip(AXES[-rank:], values, strict=True)}


def padding(sides: Any, rank: int) -> dict[str, int]:
    """Attributes of padding from PyTorch's list, which begins with the last axis."""
    names = [f"pad_{edge}" for axis in reversed(AXES[-rank:]) for edge in EDGES[axis]]
    return dict(zip(names, sides, strict=True))


def conv_options(layer: Any) -> dict[str, int]:
    """The attributes of a convolution."""
    rank = len(layer.kernel_size)
    options = by_axis("stride", layer.stride, rank) | by_axis("dilation", layer.dilation, rank)
    return options | padding(layer._reversed_padding_repeated_twice, rank) | {"groups": layer.groups}


class _Conv:
    def forward(self: Any, x: Tensor) -> Any:
        rank = len(self.kernel_size)
        if x.dim() == rank + 1:
            return self.forward(x[None])[0]
        if rank == 2 and self.bias is not None:
            return _conv2d_bias(x, self.weight, self.bias, **conv_options(self))
        return _with_bias(_conv[rank](x, self.weight, **conv_options(self)), self.bias, rank)


def _with_bias(y: Any, bias: Tensor | None, rank: int) -> Any:
    return y if bias is None else _add(y, bias.reshape(-1, *[1] * rank))


class Conv1d(_Conv, nn.Conv1d):
    pass


class Conv2d(_Conv, nn.Conv2d):
    pass


class Conv3d(_Conv, nn.Conv3d):
    pass


class _ConvTranspose:
    def forward(self: Any, x: Tensor, output_size: Any = None) -> Any:
        rank = len(self.kernel_size)
        if output_size is not None:
            parent: Any = super()  # PyTorch's layer, beside which this one stands
            return parent.forward(x, output_size)
        if x.dim() == rank + 1:
            return self.forward(x[None])[0]
        options = by_axis("stride", self.stride, rank) | padding([p for p in self.padding[::-1] for _ in (0, 1)], rank)
        options |= by_axis("dilation", self.dilation, rank) | by_axis("output_pad", self.output_padding, rank)
        return _with_bias(_transposed[rank](x, self.weight, groups=self.groups, **options), self.bias, rank)


class ConvTranspose1d(_ConvTranspose, nn.ConvTranspose1d):
    pass


class ConvTranspose2d(_ConvTranspose, nn.ConvTranspose2d):
    pass


class ConvTranspose3d(_ConvTranspose, nn.ConvTranspose3d):
    pass
