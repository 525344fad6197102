"""What one writes in PyTorch for an operator, where its reference (`ops/references/`) is something else: a reference takes
care of indices out of range and of ties, and pads by hand. A pack takes this file along (`packs/references.py`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional


def _convolution(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def apply(x: Tensor, w: Tensor, stride: int = 1, pad: int = 0, dilation: int = 1, groups: int = 1) -> Tensor:
        return function(x, w, None, stride, pad, dilation, groups)

    return apply


def _transposed_convolution(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def apply(
        x: Tensor, w: Tensor, stride: int = 1, pad: int = 0, output_pad: int = 0, dilation: int = 1, groups: int = 1
    ) -> Tensor:
        return function(x, w, None, stride, pad, output_pad, groups, dilation)

    return apply


def _conv2d_bn_relu(
    x: Tensor, w: Tensor, gamma: Tensor, beta: Tensor, mean: Tensor, var: Tensor, stride: int = 1, pad: int = 0
) -> Tensor:
    return functional.batch_norm(functional.conv2d(x, w, None, stride, pad), mean, var, gamma, beta).relu_()


def _max_pool2d(x: Tensor, kernel: int, stride: int, pad: int = 0) -> Tensor:
    return functional.max_pool2d(x, kernel, stride, pad)


def _avg_pool2d(x: Tensor, kernel: int, stride: int, pad: int = 0) -> Tensor:
    return functional.avg_pool2d(x, kernel, stride, pad)


def _batch_norm_training(x: Tensor, gamma: Tensor, beta: Tensor, mean: Tensor, var: Tensor) -> Tensor:
    return functional.batch_norm(x, mean, var, gamma, beta, training=True)


def _attention(q: Tensor, k: Tensor, v: Tensor, causal: bool = False) -> Tensor:
    grouped = q.shape[1] != k.shape[1]
    return functional.scaled_dot_product_attention(q, k, v, is_causal=causal, enable_gqa=grouped)


def _scatter_add(x: Tensor, at: Tensor, places: int) -> Tensor:
    return x.new_zeros(places, *x.shape[1:]).index_add_(0, at, x)


def _in_loop(x: Tensor, expert: Tensor, w: Tensor) -> Tensor:
    parts = x.split(expert.bincount(minlength=len(w)).tolist())
    return torch.cat([part @ weights.T for part, weights in zip(parts, w, strict=True)])


def _in_padded_batches(x: Tensor, expert: Tensor, w: Tensor) -> Tensor:
    """Each segment has as many rows as the longest; the rest are zeros."""
    counts = expert.bincount(minlength=len(w))
    most = int(counts.max())
    at = expert * most + torch.arange(len(x), device=x.device) - (counts.cumsum(0) - counts)[expert]
    padded = x.new_zeros(len(w) * most, x.shape[1]).index_copy(0, at, x).reshape(len(w), most, -1)
    return (padded @ w.mT).reshape(-1, w.shape[1])[at]


def _by_grouped_mm(x: Tensor, expert: Tensor, w: Tensor) -> Tensor:
    return functional.grouped_mm(x, w.mT, offs=expert.bincount(minlength=len(w)).cumsum(0).int())


FORMS: Mapping[str, Mapping[str, Callable[..., object]]] = {
    "grouped_matmul": {"loop": _in_loop, "padded batches": _in_padded_batches, "grouped_mm": _by_grouped_mm},
}
"""Where there are several ways to write an operator: all of them, of which the fastest counts."""

EAGER: Mapping[str, Callable[..., object]] = {
    "conv1d": _convolution(functional.conv1d),
    "conv2d": _convolution(functional.conv2d),
    "conv3d": _convolution(functional.conv3d),
    "conv_transpose2d": _transposed_convolution(functional.conv_transpose2d),
    "conv_transpose3d": _transposed_convolution(functional.conv_transpose3d),
    "conv2d_bn_relu": _conv2d_bn_relu,
    "max_pool2d": _max_pool2d,
    "avg_pool2d": _avg_pool2d,
    "batch_norm_training": _batch_norm_training,
    "max_with_index": lambda x: x.max(-1),
    "attention": _attention,
    "causal_attention": partial(_attention, causal=True),
    "embedding": lambda w, at: functional.embedding(at, w),
    "index_select": lambda x, at: x.index_select(0, at),
    "gather": lambda x, at: x.gather(-1, at),
    "scatter_add": _scatter_add,
    "bincount": lambda at, bins: at.bincount(minlength=bins),
    "topk": lambda x, top: x.topk(top, -1),
    "cross_entropy": functional.cross_entropy,
    "nll_loss": functional.nll_loss,
    "grouped_matmul": _in_loop,
}
