"""Moments and norms of rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.nn import functional


def var(x: Tensor, correction: int = 1) -> Tensor:
    """By hand: PyTorch's own warns where there are no rows."""
    return (x - x.mean(-1, keepdim=True)).square().sum(-1) / (x.shape[-1] - correction)


def norm_of(p: float) -> Callable[[Tensor], Tensor]:
    """The p-norm of rows."""
    return lambda x: torch.linalg.vector_norm(x, p, dim=-1)


def quantile(x: Tensor, q: Tensor) -> Tensor:
    """Between two places of the sorted row, NaN of a row with NaN; PyTorch's own sort may give the gradient of equal values to
    any of them, and makes NaN between two infinities."""
    rank = q * (x.shape[-1] - 1)
    values = torch.sort(x, dim=-1, stable=True).values.movedim(-1, 0)
    below, above = values[rank.floor().long()], values[rank.ceil().long()]
    part = (rank - rank.floor()).reshape(-1, *(1,) * (x.dim() - 1))
    between = below + part * torch.where((above == below) & above.isinf(), 0, above - below)
    return torch.where(x.isnan().any(-1), torch.nan, between)


def quantile_weight(q: Tensor, length: int) -> Tensor:
    """How near each place is to each quantile's. Of a quantile that is a place, its neighbours have neither weight nor slope,
    as in PyTorch's `quantile`: `clamp` would give them one."""
    return (1 - (q[:, None] * (length - 1) - torch.arange(length)).abs()).relu()


REFERENCES: Mapping[str, Callable[..., object]] = {
    "quantile": quantile,
    "quantile_weight": quantile_weight,
    "var": var,
    "std": lambda x, correction=1: var(x, correction).sqrt(),
    "var_mean": lambda x, correction=1: (var(x, correction), x.mean(-1)),
    "l1_norm": norm_of(1.0),
    "l2_norm": norm_of(2.0),
    "max_norm": norm_of(torch.inf),
    "vector_norm": lambda x, p=2.0: torch.linalg.vector_norm(x, p, dim=-1),
    "normalize": lambda x, eps=1e-12: functional.normalize(x, dim=-1, eps=eps),
    "cosine_similarity": lambda a, b, eps=1e-8: functional.cosine_similarity(a, b, dim=-1, eps=eps),
    "pairwise_distance": functional.pairwise_distance,
}
