"""What our operators take in the place of PyTorch's. All else is left to the layer's parent: it computes, or it refuses."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.modules.module import _has_any_global_hook

from uol.pytorch.fast_path import has_numbers

FLOATS = (torch.float64, torch.float32, torch.float16, torch.bfloat16)


def of_one_float(x: Tensor, *others: Tensor | None) -> bool:
    """Are these, but for those that are None, floats of one type, or will an autocast make them such?"""
    types = {x.dtype, *[y.dtype for y in others if y is not None]}
    return all(t in FLOATS for t in types) and (len(types) == 1 or torch.is_autocast_enabled(x.device.type))


def scale_of(weight: Tensor | None, like: Tensor, count: int) -> Tensor:
    """A layer's weights as they are in kernels, ones where it has none."""
    return like.new_ones(count) if weight is None else weight.reshape(count)


def shift_of(bias: Tensor | None, like: Tensor, count: int) -> Tensor:
    """A layer's offsets, zeros where it has none."""
    return like.new_zeros(count) if bias is None else bias.reshape(count)


def ends_in(x: Tensor, shape: Sequence[int]) -> bool:
    """Are the last dims of x these?"""
    return bool(shape) and tuple(x.shape[-len(shape) :]) == tuple(shape)


def is_observed(layer: nn.Module) -> bool:
    """Has the layer hooks, or have all layers, which a call tells of what it takes and gives?"""
    own = (layer._forward_hooks, layer._forward_pre_hooks, layer._backward_hooks, layer._backward_pre_hooks)
    return any(own) or _has_any_global_hook()


def are_pairs(x: Tensor, target: Tensor) -> bool:
    """Is there a target for each value, and a value at all?"""
    return x.shape == target.shape and x.numel() > 0 and of_one_float(x, target)


def are_classes(x: Tensor, target: Tensor, weight: Tensor | None, ignored: int) -> bool:
    """Is there a class for each row of scores, dim 1 of x, and a row at all?"""
    if not x.numel() or x.dim() == 0 or target.dtype is not torch.int64 or not of_one_float(x, weight):
        return False
    count = x.shape[x.dim() > 1]
    if target.shape != x.shape[: x.dim() > 1] + x.shape[2:] or (weight is not None and weight.shape != (count,)):
        return False
    return not has_numbers(target) or bool((((target >= 0) & (target < count)) | (target == ignored)).all())


def are_indices(at: Tensor, count: int) -> bool:
    """Are these whole numbers from 0 and below `count`?"""
    if at.dtype not in (torch.int64, torch.int32):
        return False
    if not has_numbers(at) or not at.numel():
        return True
    low, high = torch.aminmax(at)
    return bool(low >= 0) and bool(high < count)
