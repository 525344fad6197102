"""Pieces of a mixture of experts."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.nn import functional

from uol.ops.references.indexing import rows
from uol.ops.references.ordering import topk
from uol.ops.references.rounding import exact
from uol.ops.references.scattering import scatter_add


def moe_route(x: Tensor, w: Tensor, top: int = 4) -> tuple[Tensor, Tensor]:
    """The best experts of each token, with a softmax over their scores."""
    score, expert = topk(x @ w.T, top)
    return score.softmax(-1), expert


def moe_permute(expert: Tensor, experts: int) -> tuple[Tensor, Tensor, Tensor]:
    """Tokens in the order of their experts, where each token went, and how many each expert has."""
    order = torch.argsort(expert, stable=True)
    return order, torch.argsort(order), scatter_add(torch.ones_like(expert), expert, experts)


def moe_gate(score: Tensor, top: int = 4) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Probabilities of all experts, the best of them renormalised; how uneven the choices are; how large the scores."""
    tokens, experts = score.shape
    chance = score.softmax(-1)
    _, expert = topk(score, top)
    best = chance.gather(-1, expert)
    share = torch.bincount(expert.flatten(), minlength=experts).to(score.dtype) / max(tokens * top, 1)
    balance = experts * (share * chance.sum(0) / max(tokens, 1)).sum()
    return best / best.sum(-1, keepdim=True), expert, balance, (score.logsumexp(-1) ** 2).sum() / max(tokens, 1)


def moe_dispatch(expert: Tensor, experts: int, top: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The token and the expert of each row in the order of experts; where each choice went; how many each expert has."""
    order, place, _ = moe_permute(expert.clamp(-1, experts), experts)
    counts = torch.bincount(expert[(expert >= 0) & (expert < experts)], minlength=experts)
    return order // top, expert[order], place, counts


def moe_capacity(p: Tensor, expert: Tensor, place: Tensor, counts: Tensor, capacity: int) -> Tensor:
    """Weights of 0 for what stands beyond the capacity of its expert."""
    first = rows(counts.cumsum(0) - counts, expert)
    return torch.where(place - first < capacity, p, 0)


def moe_swiglu(
    x: Tensor, src: Tensor, expert: Tensor, gate: Tensor, up: Tensor, *, rounded: Callable[[Tensor], Tensor] = exact
) -> Tensor:
    """The hidden row of each token's expert. Both products are layers of their own."""
    tokens = rows(x, src)
    return functional.silu(rounded(grouped_matmul(tokens, expert, gate))) * rounded(grouped_matmul(tokens, expert, up))


def grouped_matmul(x: Tensor, expert: Tensor, w: Tensor) -> Tensor:
    """Each row by the matrix of its expert."""
    return torch.einsum("md,mfd->mf", x, rows(w, expert))


REFERENCES: Mapping[str, Callable[..., object]] = {
    "moe_route": moe_route,
    "moe_scores": lambda x, w: x @ w.T,
    "moe_gate": moe_gate,
    "moe_permute": moe_permute,
    "moe_dispatch": moe_dispatch,
    "moe_capacity": moe_capacity,
    "grouped_matmul": grouped_matmul,
    "moe_expert": lambda x, src, expert, w: grouped_matmul(rows(x, src), expert, w),
    "moe_swiglu": moe_swiglu,
    "moe_combine": lambda x, at, p: (rows(x, at) * p[..., None]).sum(1),
}
