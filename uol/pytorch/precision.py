"""What PyTorch's flags say about products of f32."""

from __future__ import annotations

from functools import cache

import torch

_of_products = getattr(torch._C, "_get_fp32_precision_getter", None)
"""Since 2.9, where flags may be set by backend and kind of operator; the older ones are read through it."""


def is_tf32_allowed(device_type: str) -> bool:
    """May products of f32 on devices of a type be of factors shortened to TF32? `torch.set_float32_matmul_precision`,
    `torch.backends.cuda.matmul.allow_tf32` and `fp32_precision` say so for those that have it; not unless they do.

    >>> is_tf32_allowed("cpu")
    False
    """
    if _of_products is None:
        return bool(torch._C._get_cublas_allow_tf32())
    return _has_flag(device_type) and _of_products(device_type, "matmul") in ("tf32", "bf16")


@cache
def _has_flag(device_type: str) -> bool:
    """Has PyTorch a flag for devices of the type? It raises where it has none, which would be slow at every call."""
    assert _of_products is not None, "older flags are for all devices"
    try:
        _of_products(device_type, "matmul")
    except RuntimeError:
        return False
    return True
