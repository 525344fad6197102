"""What takes the place of PyTorch's norms of rows, the last dims. Each class differs from its parent in `forward` alone,
and leaves to it what the operator does not take."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from uol.pytorch.bridge import operator
from uol.pytorch.layers.layer_support import ends_in, is_observed, of_one_float, scale_of, shift_of

_layer_norm, _rms_norm, _add_layer_norm = operator("layer_norm"), operator("rms_norm"), operator("add_layer_norm")


class LayerNorm(nn.LayerNorm):
    def forward(self, x: Tensor) -> Any:
        if not ends_in(x, self.normalized_shape) or not of_one_float(x, self.weight, self.bias):
            return super().forward(x)
        count = torch.Size(self.normalized_shape).numel()
        rows = x.reshape(*x.shape[: x.dim() - len(self.normalized_shape)], count)
        found: Any = _layer_norm(rows, scale_of(self.weight, x, count), shift_of(self.bias, x, count), eps=self.eps)
        return found.reshape(x.shape)

    def of_sum(self, x: Tensor, y: Tensor) -> Any:
        """`self(x + y)`, by one operator where there are rows of one type, and nobody is to be told of a call."""
        is_plain = x.shape == y.shape and x.dtype == y.dtype and x.shape[-1:] == self.normalized_shape
        if not is_plain or is_observed(self) or torch.is_autocast_enabled(x.device.type):
            return self(x + y)
        if not of_one_float(x, self.weight, self.bias):
            return self(x + y)
        count = x.shape[-1]
        return _add_layer_norm(x, y, scale_of(self.weight, x, count), shift_of(self.bias, x, count), eps=self.eps)


class RMSNorm(nn.RMSNorm):
    def forward(self, x: Tensor) -> Any:
        if not ends_in(x, self.normalized_shape) or not of_one_float(x, self.weight):
            return super().forward(x)
        count = torch.Size(self.normalized_shape).numel()
        rows = x.reshape(*x.shape[: x.dim() - len(self.normalized_shape)], count)
        summed = torch.float64 if x.dtype is torch.float64 else torch.float32
        eps = torch.finfo(summed).eps if self.eps is None else self.eps
        found: Any = _rms_norm(rows, scale_of(self.weight, x, count), eps=eps)
        return found.reshape(x.shape)
