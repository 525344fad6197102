"""What PyTorch's flags say about products of f32."""

from __future__ import annotations

import torch

_of_products = getattr(torch._C, "_get_fp32_precision_getter", None)
"""Since 2.9, where flags may be set by backend and kind of operator; the older ones are read through it."""


def is_tf32_allowed(device_type: str) -> bool:
    """May products of f32 on devices of a type be of factors rounded to TF32? `torch.set_float32_matmul_precision`,
    `torch.backends.cuda.matmul.allow_tf32` and `fp32_precision` say so for those that have it; not unless they do.

    >>> is_tf32_allowed("cpu")
    False
    """
    if _of_products is None:
        return bool(torch._C._get_cublas_allow_tf32())
    try:
        return _of_products(device_type, "matmul") in ("tf32", "bf16")
    except RuntimeError:  # PyTorch has no such flag for devices of the type
        return False
