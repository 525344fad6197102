"""Moments and norms of rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.nn import functional


def moment(name: str) -> Callable[..., object]:
    """PyTorch's `var`, `std` or `var_mean` over the last dim."""
    return lambda x, correction=1: getattr(torch, name)(x, dim=-1, correction=correction)


def norm_of(p: float) -> Callable[[Tensor], Tensor]:
    """The p-norm of rows."""
    return lambda x: torch.linalg.vector_norm(x, p, dim=-1)


REFERENCES: Mapping[str, Callable[..., object]] = {
    **{name: moment(name) for name in ("var", "std", "var_mean")},
    "l1_norm": norm_of(1.0),
    "l2_norm": norm_of(2.0),
    "max_norm": norm_of(torch.inf),
    "vector_norm": lambda x, p=2.0: torch.linalg.vector_norm(x, p, dim=-1),
    "normalize": lambda x, eps=1e-12: functional.normalize(x, dim=-1, eps=eps),
    "cosine_similarity": lambda a, b, eps=1e-8: functional.cosine_similarity(a, b, dim=-1, eps=eps),
    "pairwise_distance": functional.pairwise_distance,
}
