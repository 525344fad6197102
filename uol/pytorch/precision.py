"""What PyTorch's flags say about products of f32."""

from __future__ import annotations

import torch

_of_products = getattr(torch._C, "_get_fp32_precision_getter", None)
"""Since 2.9, where flags may be set by backend and kind of operator; the older ones are read through it."""


def is_tf32_allowed() -> bool:
    """May products of f32 on a CUDA device be of factors rounded to TF32? `torch.set_float32_matmul_precision`,
    `torch.backends.cuda.matmul.allow_tf32` and `fp32_precision` say so; not unless they do.

    >>> is_tf32_allowed()
    False
    """
    if _of_products is None:
        return bool(torch._C._get_cublas_allow_tf32())
    return _of_products("cuda", "matmul") in ("tf32", "bf16")
