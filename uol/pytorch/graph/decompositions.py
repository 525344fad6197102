"""How PyTorch's operators are taken apart before they are grouped: into maps, views, reductions and products, whose groups then
are one text each. What the library has with everything that PyTorch asks of it is left whole (`library`)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from math import prod
from typing import Any

import torch
from torch._decomp import core_aten_decompositions, get_decompositions

from uol.pytorch.graph.words import aten

Tensor = torch.Tensor

WHOLE = (
    aten._scaled_dot_product_flash_attention_for_cpu.default,
    aten.embedding_dense_backward.default,
)
"""What the core decompositions would take apart."""

MORE = (
    "_softmax_backward_data _log_softmax_backward_data native_layer_norm native_layer_norm_backward gelu gelu_backward silu "
    "silu_backward sigmoid_backward tanh_backward threshold_backward _native_batch_norm_legit_no_training rsub addcmul addcdiv "
    "nll_loss_forward nll_loss_backward mse_loss mse_loss_backward hardtanh hardtanh_backward leaky_relu leaky_relu_backward "
    "native_group_norm native_group_norm_backward native_batch_norm_backward _native_batch_norm_legit_functional logsumexp "
    "square std var clamp_min clamp_max clamp elu elu_backward softplus softplus_backward hardswish hardsigmoid mish lerp "
    "binary_cross_entropy binary_cross_entropy_backward smooth_l1_loss smooth_l1_loss_backward huber_loss tril triu "
    "masked_fill arange roll stack unbind slice_backward select_backward std_mean fill zeros_like ones_like zeros ones "
    "full_like new_zeros new_ones new_full _adaptive_avg_pool2d"
)


def _var_mean(x: Tensor, dim: Any = None, *, correction: Any = None, keepdim: bool = False) -> tuple[Tensor, Tensor]:
    dims = list(dim) if dim else list(range(x.dim()))
    count = prod(x.shape[d] for d in dims)
    mean = torch.mean(x, dims, True)
    centred = x - mean
    var = torch.sum(centred * centred, dims, keepdim) / max(count - (1 if correction is None else correction), 0)
    return var, mean if keepdim else mean.squeeze(dims)


def _rms_norm(x: Tensor, size: Sequence[int], weight: Tensor | None, eps: float | None) -> tuple[Tensor, Tensor]:
    dims = list(range(x.dim() - len(size), x.dim()))
    wide = x.float() if x.dtype in (torch.float16, torch.bfloat16) else x
    r = torch.rsqrt(torch.mean(wide * wide, dims, True) + (torch.finfo(wide.dtype).eps if eps is None else eps))
    y = wide * r if weight is None else wide * r * weight
    return y.to(x.dtype), r


def _rms_norm_backward(
    dy: Tensor, x: Tensor, size: Sequence[int], r: Tensor, weight: Tensor | None, mask: Sequence[bool]
) -> tuple[Tensor | None, Tensor | None]:
    """The library's form: two reductions of a row."""
    dims = list(range(x.dim() - len(size), x.dim()))
    normed = x.to(r.dtype) * r
    wide = dy.to(r.dtype)
    g = wide if weight is None else wide * weight
    dx = (g - normed * torch.mean(g * normed, dims, True)) * r
    if weight is None or not mask[1]:
        return dx.to(x.dtype), None
    outer = list(range(x.dim() - len(size)))
    dw = torch.sum(wide * normed, outer) if outer else wide * normed
    return dx.to(x.dtype), dw.to(weight.dtype)


def _widened(x: Tensor) -> Tensor:
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x


def _softmax(x: Tensor, dim: int, half_to_float: bool) -> Tensor:
    if x.dim() == 0:
        return torch.ones_like(x)
    wide = _widened(x)
    e = torch.exp(wide - torch.amax(wide, [dim], True))
    y = e / torch.sum(e, [dim], True)
    return y if half_to_float else y.to(x.dtype)


def _log_softmax(x: Tensor, dim: int, half_to_float: bool) -> Tensor:
    if x.dim() == 0:
        return torch.zeros_like(x)
    wide = _widened(x)
    s = wide - torch.amax(wide, [dim], True)
    y = s - torch.log(torch.sum(torch.exp(s), [dim], True))
    return y if half_to_float else y.to(x.dtype)


def _batch_norm(
    x: Tensor, w: Tensor | None, b: Tensor | None, mean: Tensor, var: Tensor, training: bool, momentum: float, eps: float
) -> Any:
    """Batch norm in inference; training stays PyTorch's. PyTorch's own decomposition gives an operator with side effects."""
    if training:
        return NotImplemented
    sizes = (1, -1, *[1] * (x.dim() - 2))
    r = torch.rsqrt(var + eps)
    scale = r if w is None else r * w
    y = (x - mean.view(sizes)) * scale.view(sizes)
    y = y if b is None else y + b.view(sizes)
    return y.to(x.dtype), x.new_empty(0), x.new_empty(0)


def _batch_norm_no_training(
    x: Tensor, w: Tensor | None, b: Tensor | None, mean: Tensor, var: Tensor, momentum: float, eps: float
) -> Any:
    return _batch_norm(x, w, b, mean, var, False, momentum, eps)


def _split(x: Tensor, sizes: Sequence[int], dim: int = 0) -> list[Tensor]:
    ends = [sum(sizes[: k + 1]) for k in range(len(sizes))]
    return [aten.slice.Tensor(x, dim % x.dim(), e - z, e) for z, e in zip(sizes, ends, strict=True)]


def _split_alike(x: Tensor, size: int, dim: int = 0) -> list[Tensor]:
    length = x.shape[dim]
    return [aten.slice.Tensor(x, dim % x.dim(), at, min(at + size, length)) for at in range(0, max(length, 1), max(size, 1))]


def _average_of_all(x: Tensor, size: Sequence[int]) -> Any:
    if list(size) != [1, 1]:
        return NotImplemented
    return torch.mean(x, [-2, -1], True)


def _addcmul(x: Tensor, a: Tensor, b: Tensor, *, value: float = 1) -> Tensor:
    """PyTorch's decomposition gives an operator that is there only after Inductor is."""
    return x + (a * b if value == 1 else value * a * b)


def _addcdiv(x: Tensor, a: Tensor, b: Tensor, *, value: float = 1) -> Tensor:
    return x + (a / b if value == 1 else value * (a / b))


def _lerp(x: Tensor, y: Tensor, weight: float) -> Tensor:
    return x + weight * (y - x) if abs(weight) < 0.5 else y - (y - x) * (1 - weight)


def _each_addcmul(x: list[Tensor], a: list[Tensor], b: list[Tensor], value: float = 1) -> list[Tensor]:
    return [_addcmul(*each, value=value) for each in zip(x, a, b, strict=True)]


def _each_addcdiv(x: list[Tensor], a: list[Tensor], b: list[Tensor], value: float = 1) -> list[Tensor]:
    return [_addcdiv(*each, value=value) for each in zip(x, a, b, strict=True)]


def _each_lerp(x: list[Tensor], y: list[Tensor], weight: float) -> list[Tensor]:
    return [_lerp(*each, weight) for each in zip(x, y, strict=True)]


def _roll(x: Tensor, shifts: Sequence[int], dims: Sequence[int] = ()) -> Tensor:
    """As parts that lie in another order."""
    if not x.numel():
        return x.clone()
    if not dims:
        return _roll(x.reshape(-1), shifts, (0,)).reshape(x.shape)
    for shift, dim in zip(shifts, dims, strict=True):
        size = x.shape[dim]
        if shift % size:
            first = size - shift % size
            x = torch.cat([x.narrow(dim, first, size - first), x.narrow(dim, 0, first)], dim)
    return x.clone()


@cache
def decompositions() -> dict[Any, Callable[..., Any]]:
    """The functions that take operators apart, by the overload that each is for."""
    named = [getattr(aten, name) for name in MORE.split() if hasattr(aten, name)]
    table: dict[Any, Callable[..., Any]] = {**core_aten_decompositions(), **get_decompositions(named)}
    for overload in WHOLE:
        table.pop(overload, None)
    table.update(
        {
            aten.addcmul.default: _addcmul,
            aten.addcdiv.default: _addcdiv,
            aten._foreach_addcmul.Scalar: _each_addcmul,
            aten._foreach_addcdiv.Scalar: _each_addcdiv,
            aten._foreach_lerp.Scalar: _each_lerp,
            aten.roll.default: _roll,
            aten.lerp.Scalar: _lerp,
            aten.var_mean.correction: _var_mean,
            aten._softmax.default: _softmax,
            aten._log_softmax.default: _log_softmax,
            aten._fused_rms_norm.default: _rms_norm,
            aten._fused_rms_norm_backward.default: _rms_norm_backward,
            aten.native_batch_norm.default: _batch_norm,
            aten._native_batch_norm_legit_no_training.default: _batch_norm_no_training,
            aten.split_with_sizes.default: _split,
            aten.split.Tensor: _split_alike,
            aten._adaptive_avg_pool2d.default: _average_of_all,
        }
    )
    return table
