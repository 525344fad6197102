"""`interpolate`: a text for each mode and number of axes, or a product with a matrix of coefficients along each axis."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from uol.ir.errors import ShapeError
from uol.ops import text as texts
from uol.pytorch.layers.window_options import AXES
from uol.pytorch.signatures.call import Call, rewrite
from uol.pytorch.signatures.families import TEXTS, numbers

LINEAR = {1: "linear", 2: "bilinear", 3: "trilinear"}
CUBIC = -0.75
"""The free coefficient of Keys' cubic convolution, as PyTorch has it (aten/src/ATen/native/UpSample.h)."""


@rewrite
def resampled(call: Call) -> None:
    """Whole sizes by the text of the mode, where there is one; all else by matrices."""
    x, mode, corners = call.args["input"], call.args["mode"], call.args["align_corners"]
    axes = x.dim() - 2
    if mode not in ("nearest", "nearest-exact", "area", "bicubic", *LINEAR.values()):
        raise call.refuse(f"mode={mode!r}", "mode='nearest', 'bilinear' or 'bicubic'")
    if (mode == "bicubic" and axes != 2) or (mode in LINEAR.values() and mode != LINEAR.get(axes)):
        raise ShapeError(f"{call.name}: mode={mode!r} of {axes} axes", hint=f"mode={LINEAR.get(axes, 'nearest')!r}")
    if corners is not None and mode in ("nearest", "nearest-exact", "area"):
        raise call.refuse(f"align_corners with mode={mode!r}", "it without align_corners")
    sizes, steps = _sizes(call, x, axes)
    text = {"nearest": "upsample_nearest", "linear": "upsample_linear", "bilinear": "upsample_bilinear"}.get(mode)
    text = "adaptive_avg_pool" if mode == "area" else text
    if text is not None and f"{text}{axes}d" in TEXTS and (mode == "area" or steps == [None] * axes):
        call.text = f"{text}{axes}d"
        call.attributes = {f"out_{axis}": f"{size}" for axis, size in zip(AXES[-axes:], sizes, strict=True)}
        if mode in ("linear", "bilinear"):
            call.attributes["align_corners"] = f"{bool(corners)}"
        return
    if not mode.startswith("nearest") and not x.is_floating_point():
        raise call.refuse(f"mode={mode!r} of {x.dtype}", "the input in a floating type")
    call.text, call.attributes = "cast", {"dtype": "mode"}
    call.args["mode"] = wide = torch.promote_types(x.dtype, torch.float32) if x.is_floating_point() else x.dtype
    if wide is not x.dtype:
        call.finishes.append(lambda r: texts.cast(r, dtype=x.dtype))  # rounded once, as PyTorch does, not for each axis
    for axis, (size, step) in enumerate(zip(sizes, steps, strict=True)):
        call.finishes.append(_along(axis + 2, size, step, mode, bool(corners)))


def _along(dim: int, size: int, step: float | None, mode: str, corners: bool) -> Any:
    def finish(x: Tensor) -> Any:
        if mode.startswith("nearest"):
            at = torch.tensor(_nearest(x.shape[dim], size, step, mode), device=x.device)
            return texts.index_select(x.movedim(dim, 0), at).movedim(0, dim)
        matrix = torch.tensor(_coefficients(x.shape[dim], size, step, mode, corners), dtype=x.dtype, device=x.device)
        return texts.matmul(x.movedim(dim, -1), matrix).movedim(-1, dim)

    return finish


def _sizes(call: Call, x: Tensor, axes: int) -> tuple[list[int], list[float | None]]:
    """The sizes of the result, and where a factor says it, how far its elements lie apart in the input."""
    size, factor = call.args["size"], call.args["scale_factor"]
    if (size is None) == (factor is None):
        raise ShapeError(f"{call.name}: either size or scale_factor is given", hint="write one of them")
    if size is not None:
        return [int(n) for n in numbers(size, axes)], [None] * axes
    factors = numbers(factor, axes)
    wanted = [math.floor(n * f) for n, f in zip(x.shape[2:], factors, strict=True)]
    own = zip(x.shape[2:], factors, wanted, strict=True)
    if call.args["recompute_scale_factor"]:
        return wanted, [None] * axes
    return wanted, [None if n * f == w else 1 / f for n, f, w in own]


def _nearest(length: int, size: int, step: float | None, mode: str) -> list[int]:
    """Which element is nearest to each, with coordinates in f32, as PyTorch computes them."""
    scale = np.float32(length / size if step is None else step)
    shift = np.float32(0.5 if mode == "nearest-exact" else 0.0)
    at = np.floor((np.arange(size, dtype=np.float32) + shift) * scale)
    return [int(n) for n in np.minimum(at, length - 1)]


@lru_cache(64)
def _coefficients(length: int, size: int, step: float | None, mode: str, corners: bool) -> Any:
    """What each element of the input gives to each of the result: [length, size]."""
    if corners:
        scale = (length - 1) / (size - 1) if size > 1 else 0.0
        at = np.arange(size) * scale
    else:
        scale = length / size if step is None else step
        at = (np.arange(size) + 0.5) * scale - 0.5
        at = at if mode == "bicubic" else np.maximum(at, 0.0)
    left = np.floor(at).astype(int)
    part = at - left
    matrix = np.zeros((length, size))
    for shift, weight in _cubic(part) if mode == "bicubic" else ((0, 1 - part), (1, part)):
        np.add.at(matrix, (np.clip(left + shift, 0, length - 1), np.arange(size)), weight)
    return matrix


def _cubic(part: Any) -> list[tuple[int, Any]]:
    """Four neighbours and their weights, by Keys' cubic convolution."""

    def near(d: Any) -> Any:
        return ((CUBIC + 2) * d - (CUBIC + 3)) * d * d + 1

    def far(d: Any) -> Any:
        return ((CUBIC * d - 5 * CUBIC) * d + 8 * CUBIC) * d - 4 * CUBIC

    return [(-1, far(part + 1)), (0, near(part)), (1, near(1 - part)), (2, far(2 - part))]
