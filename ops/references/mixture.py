"""Pieces of a mixture of experts."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from uol.ops.references.indexing import rows
from uol.ops.references.ordering import topk
from uol.ops.references.scatter import scatter_add


def moe_route(x: Tensor, w: Tensor, top: int = 4) -> tuple[Tensor, Tensor]:
    """The best experts of each token, with a softmax over their scores."""
    score, expert = topk(x @ w.T, top)
    return score.softmax(-1), expert


def moe_permute(expert: Tensor, experts: int) -> tuple[Tensor, Tensor, Tensor]:
    """Tokens in the order of their experts, where each token went, and how many each expert has."""
    order = torch.argsort(expert, stable=True)
    return order, torch.argsort(order), scatter_add(torch.ones_like(expert), expert, experts)


def grouped_matmul(x: Tensor, expert: Tensor, w: Tensor) -> Tensor:
    """Each row by the matrix of its expert."""
    return torch.einsum("md,mfd->mf", x, rows(w, expert))


REFERENCES: Mapping[str, Callable[..., object]] = {
    "moe_route": moe_route,
    "moe_permute": moe_permute,
    "grouped_matmul": grouped_matmul,
    "moe_expert": lambda x, src, expert, w: grouped_matmul(rows(x, src), expert, w),
    "moe_combine": lambda x, at, p: (rows(x, at) * p[..., None]).sum(1),
}
