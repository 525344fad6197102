"""PyTorch's layers with `uol`'s operators: each class here differs from its parent in `forward` alone, so that a layer that is
made one keeps its parameters, its buffers, its hooks and its name. `uol.replace` does so.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from uol.pytorch.bridge import operator
from uol.pytorch.layers.layer_support import are_classes, are_indices, ends_in, is_observed, of_one_float

EDGES = (("front", "back"), ("top", "bottom"), ("left", "right"))
AXES = ("d", "h", "w")

_add, _linear = operator("add"), operator("linear")
_conv = {1: operator("conv1d"), 2: operator("conv2d"), 3: operator("conv3d")}
_conv2d_bias = operator("conv2d_bias")
_transposed = {n: operator(f"conv_transpose{n}d") for n in (1, 2, 3)}
_batch_norm, _batch_norm_train = operator("batch_norm"), operator("batch_norm_train")
_layer_norm, _rms_norm, _add_layer_norm = operator("layer_norm"), operator("rms_norm"), operator("add_layer_norm")
_group_norm, _instance_norm = operator("group_norm"), operator("instance_norm")
_embedding, _prelu = operator("embedding"), operator("prelu")
_nll_loss, _weighted_nll_loss = operator("nll_loss"), operator("weighted_nll_loss")
_cross_entropy, _weighted_cross_entropy = operator("cross_entropy"), operator("weighted_cross_entropy")


class Linear(nn.Linear):
    def forward(self, x: Tensor) -> Any:
        return _linear(x, self.weight, self.weight.new_zeros(self.out_features) if self.bias is None else self.bias)


def by_axis(option: str, values: Any, rank: int) -> dict[str, int]:
    """An attribute for each axis: `stride_h=2, stride_w=1`; `stride=2` in one dimension."""
    if rank == 1:
        return {option: values[0]}
    return {f"{option}_{axis}": each for axis, each in zip(AXES[-rank:], values, strict=True)}


def padding(sides: Any, rank: int) -> dict[str, int]:
    """Attributes of padding from PyTorch's list, which begins with the last axis."""
    names = [f"pad_{edge}" for low_high in reversed(EDGES[3 - rank :]) for edge in low_high]
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


def _scale(weight: Tensor | None, like: Tensor, count: int) -> Tensor:
    return like.new_ones(count) if weight is None else weight.reshape(count)


def _shift(bias: Tensor | None, like: Tensor, count: int) -> Tensor:
    return like.new_zeros(count) if bias is None else bias.reshape(count)


class _BatchNorm:
    def forward(self: Any, x: Tensor) -> Any:
        self._check_input_dim(x)
        if not self._takes(x):
            parent: Any = super()  # PyTorch's layer, beside which this one stands
            return parent.forward(x)
        scale, shift = _scale(self.weight, x, self.num_features), _shift(self.bias, x, self.num_features)
        if not self.training and self.running_mean is not None:
            return _batch_norm(x, scale, shift, self.running_mean, self.running_var, eps=self.eps)
        found: Any = _batch_norm_train(x, scale, shift, eps=self.eps)
        y, mean, var = found
        if self.training and self.running_mean is not None:
            self._track(mean.detach(), var.detach(), x.numel() // self.num_features)
        return y

    def _takes(self: Any, x: Tensor) -> bool:
        """Is what is measured there? One value has no variance, which PyTorch says."""
        stored = (self.weight, self.bias, self.running_mean, self.running_var)
        measured = self.training or self.running_mean is None
        enough = x.numel() > self.num_features or not measured
        return enough and x.shape[1] == self.num_features and of_one_float(x, *stored)

    def _track(self: Any, mean: Tensor, var: Tensor, count: int) -> None:
        self.num_batches_tracked.add_(1)
        weight = 1.0 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean.mul_(1 - weight).add_(mean.to(self.running_mean.dtype), alpha=weight)
        self.running_var.mul_(1 - weight).add_(var.to(self.running_var.dtype), alpha=weight * count / (count - 1))


class BatchNorm1d(_BatchNorm, nn.BatchNorm1d):
    pass


class BatchNorm2d(_BatchNorm, nn.BatchNorm2d):
    pass


class BatchNorm3d(_BatchNorm, nn.BatchNorm3d):
    pass


class LayerNorm(nn.LayerNorm):
    def forward(self, x: Tensor) -> Any:
        if not ends_in(x, self.normalized_shape) or not of_one_float(x, self.weight, self.bias):
            return super().forward(x)
        count = torch.Size(self.normalized_shape).numel()
        rows = x.reshape(*x.shape[: x.dim() - len(self.normalized_shape)], count)
        found: Any = _layer_norm(rows, _scale(self.weight, x, count), _shift(self.bias, x, count), eps=self.eps)
        return found.reshape(x.shape)

    def of_sum(self, x: Tensor, y: Tensor) -> Any:
        """`self(x + y)`, by one operator where there are rows of one type, and nobody is to be told of a call."""
        is_plain = x.shape == y.shape and x.dtype == y.dtype and x.shape[-1:] == self.normalized_shape
        if not is_plain or is_observed(self) or torch.is_autocast_enabled(x.device.type):
            return self(x + y)
        if not of_one_float(x, self.weight, self.bias):
            return self(x + y)
        count = x.shape[-1]
        return _add_layer_norm(x, y, _scale(self.weight, x, count), _shift(self.bias, x, count), eps=self.eps)


class RMSNorm(nn.RMSNorm):
    def forward(self, x: Tensor) -> Any:
        if not ends_in(x, self.normalized_shape) or not of_one_float(x, self.weight):
            return super().forward(x)
        count = torch.Size(self.normalized_shape).numel()
        rows = x.reshape(*x.shape[: x.dim() - len(self.normalized_shape)], count)
        summed = torch.float64 if x.dtype is torch.float64 else torch.float32
        eps = torch.finfo(summed).eps if self.eps is None else self.eps
        found: Any = _rms_norm(rows, _scale(self.weight, x, count), eps=eps)
        return found.reshape(x.shape)


class GroupNorm(nn.GroupNorm):
    def forward(self, x: Tensor) -> Any:
        count = self.num_channels
        one_value = x.numel() <= self.num_groups  # which has no variance
        if x.dim() < 2 or x.shape[1] != count or one_value or not of_one_float(x, self.weight, self.bias):
            return super().forward(x)
        scale, shift = _scale(self.weight, x, count), _shift(self.bias, x, count)
        return _group_norm(x, scale, shift, groups=self.num_groups, eps=self.eps)


class _InstanceNorm:
    def forward(self: Any, x: Tensor) -> Any:
        self._check_input_dim(x)
        if x.dim() == self._get_no_batch_dim():
            return self.forward(x[None])[0]
        count = self.num_features
        one_value = x.shape[2:].numel() < 2  # which has no variance
        if x.shape[1] != count or one_value or not of_one_float(x, self.weight, self.bias):
            parent: Any = super()  # PyTorch's layer, beside which this one stands
            return parent.forward(x)
        return _instance_norm(x, _scale(self.weight, x, count), _shift(self.bias, x, count), eps=self.eps)


class InstanceNorm1d(_InstanceNorm, nn.InstanceNorm1d):
    pass


class InstanceNorm2d(_InstanceNorm, nn.InstanceNorm2d):
    pass


class InstanceNorm3d(_InstanceNorm, nn.InstanceNorm3d):
    pass


class Embedding(nn.Embedding):
    def forward(self, at: Tensor) -> Any:
        if not are_indices(at, self.num_embeddings):
            return super().forward(at)
        return _embedding(self.weight, at.long())


class PReLU(nn.PReLU):
    def forward(self, x: Tensor) -> Any:
        for_each = x.shape[1] if x.dim() > 1 else 1
        if self.num_parameters not in (1, for_each) or not of_one_float(x, self.weight):
            return super().forward(x)
        found: Any = _prelu(x, self.weight.reshape(-1, *[1] * (x.dim() - 2)) if x.dim() > 1 else self.weight)
        return found if x.dim() else found[0]


def _rows(x: Tensor) -> Tensor:
    """The scores of classes, dim 1 of x, as rows; a tensor of one dim is one row."""
    return x[None] if x.dim() == 1 else x.movedim(1, -1).reshape(-1, x.shape[1])


class NLLLoss(nn.NLLLoss):
    def forward(self, x: Tensor, target: Tensor) -> Any:
        if not are_classes(x, target, self.weight, self.ignore_index):
            return super().forward(x, target)
        options: dict[str, Any] = {"ignore_index": self.ignore_index, "reduction": self.reduction}
        if self.weight is not None:
            return _each(_weighted_nll_loss(_rows(x), target.reshape(-1), self.weight, **options), target)
        return _each(_nll_loss(_rows(x), target.reshape(-1), **options), target)


def _each(loss: Any, target: Tensor) -> Any:
    """The losses of rows, where they were not reduced, in the target's shape."""
    return loss.reshape(target.shape) if loss.dim() else loss


class CrossEntropyLoss(nn.CrossEntropyLoss):
    def forward(self, x: Tensor, target: Tensor) -> Any:
        if not are_classes(x, target, self.weight, self.ignore_index):  # probabilities, above all
            return super().forward(x, target)
        options: dict[str, Any] = {"ignore_index": self.ignore_index, "reduction": self.reduction}
        options["label_smoothing"] = self.label_smoothing
        if self.weight is not None:
            return _each(_weighted_cross_entropy(_rows(x), target.reshape(-1), self.weight, **options), target)
        return _each(_cross_entropy(_rows(x), target.reshape(-1), **options), target)
