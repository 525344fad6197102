"""What takes the place of PyTorch's norms of channels, dim 1. Each class differs from its parent in `forward` alone, and leaves
to it what the operator does not take."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from uol.pytorch.bridge import operator
from uol.pytorch.layers.layer_support import of_one_float, scale_of, shift_of

_batch_norm, _batch_norm_train = operator("batch_norm"), operator("batch_norm_train")
_group_norm, _instance_norm = operator("group_norm"), operator("instance_norm")


class _BatchNorm:
    def forward(self: Any, x: Tensor) -> Any:
        self._check_input_dim(x)
        if not self._takes(x):
            parent: Any = super()  # PyTorch's layer, beside which this one stands
            return parent.forward(x)
        scale, shift = scale_of(self.weight, x, self.num_features), shift_of(self.bias, x, self.num_features)
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


class GroupNorm(nn.GroupNorm):
    def forward(self, x: Tensor) -> Any:
        count = self.num_channels
        one_value = x.numel() <= self.num_groups  # which has no variance
        if x.dim() < 2 or x.shape[1] != count or one_value or not of_one_float(x, self.weight, self.bias):
            return super().forward(x)
        scale, shift = scale_of(self.weight, x, count), shift_of(self.bias, x, count)
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
        return _instance_norm(x, scale_of(self.weight, x, count), shift_of(self.bias, x, count), eps=self.eps)


class InstanceNorm1d(_InstanceNorm, nn.InstanceNorm1d):
    pass


class InstanceNorm2d(_InstanceNorm, nn.InstanceNorm2d):
    pass


class InstanceNorm3d(_InstanceNorm, nn.InstanceNorm3d):
    pass
