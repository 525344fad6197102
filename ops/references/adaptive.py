"""Adaptive pooling."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from torch.nn import functional

REFERENCES: Mapping[str, Callable[..., object]] = {
    "adaptive_avg_pool1d": lambda x, out_w: functional.adaptive_avg_pool1d(x, out_w),
    "adaptive_max_pool1d": lambda x, out_w: functional.adaptive_max_pool1d(x, out_w),
    "adaptive_avg_pool2d": lambda x, out_h, out_w: functional.adaptive_avg_pool2d(x, (out_h, out_w)),
    "adaptive_avg_pool3d": lambda x, out_d, out_h, out_w: functional.adaptive_avg_pool3d(x, (out_d, out_h, out_w)),
    "adaptive_max_pool2d": lambda x, out_h, out_w: functional.adaptive_max_pool2d(x, (out_h, out_w)),
    "adaptive_max_pool3d": lambda x, out_d, out_h, out_w: functional.adaptive_max_pool3d(x, (out_d, out_h, out_w)),
}
