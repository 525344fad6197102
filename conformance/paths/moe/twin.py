"""The layer and the language model in plain PyTorch: nothing of `uol`, the same names of parameters."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional


class Mixed(NamedTuple):
    """Tokens, the router's two losses, the experts that were chosen."""

    y: Tensor
    balance: Tensor
    z: Tensor
    expert: Tensor


Products = Callable[["MixtureOfExperts", Tensor, Tensor], Tensor]
"""The rows of experts from the tokens, each standing once for each expert of its own, in the order of the experts, and the
number of tokens of each expert."""


class MixtureOfExperts(nn.Module):
    """`products`: how the experts are applied; `forms` has others."""

    def __init__(
        self, width: int, hidden: int, experts: int, top: int = 4, capacity: int | None = None, products: Products | None = None
    ) -> None:
        super().__init__()
        self.top = top
        self.capacity = capacity
        self.products = products or by_loop
        self.router = _drawn(experts, width)
        self.gate, self.up = _drawn(experts, hidden, width), _drawn(experts, hidden, width)
        self.down = _drawn(experts, width, hidden)

    def forward(self, x: Tensor, expert: Tensor | None = None) -> Mixed:
        """`x` [N, D]. `expert` [N, top]: the experts to take in place of the router's choice."""
        p, expert, balance, z = self.route(x, expert)
        flat = expert.flatten()
        order = flat.argsort(stable=True)
        counts = flat.bincount(minlength=len(self.router))
        if self.capacity is not None:
            first = (counts.cumsum(0) - counts)[flat[order]]
            rank = torch.empty_like(flat).scatter_(0, order, torch.arange(len(flat)) - first)
            p = p * (rank < self.capacity).reshape(p.shape)
        rows = self.products(self, x[order // self.top], counts)
        weighted = rows * p.to(x.dtype).flatten()[order, None]
        return Mixed(torch.zeros_like(x).index_add(0, order // self.top, weighted), balance, z, expert)

    def route(self, x: Tensor, expert: Tensor | None) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Weights, experts and losses, in float32 or float64."""
        wide = torch.float64 if x.dtype is torch.float64 else torch.float32
        score = x.to(wide) @ self.router.to(wide).T
        chance = score.softmax(-1)
        if expert is None:
            expert = chance.topk(self.top, -1).indices
        p = chance.gather(-1, expert)
        tokens, experts = score.shape
        share = expert.flatten().bincount(minlength=experts).to(wide) / max(tokens * self.top, 1)
        balance = experts * (share * (chance.sum(0) / max(tokens, 1))).sum()
        return p / p.sum(-1, keepdim=True), expert, balance, (score.logsumexp(-1) ** 2).sum() / max(tokens, 1)


def by_loop(layer: MixtureOfExperts, rows: Tensor, counts: Tensor) -> Tensor:
    """One expert after another."""
    parts = rows.split(counts.tolist())
    weights = zip(layer.gate, layer.up, layer.down, strict=True)
    done = [
        functional.linear(functional.silu(functional.linear(part, gate)) * functional.linear(part, up), down)
        for part, (gate, up, down) in zip(parts, weights, strict=True)
        if len(part)
    ]
    return torch.cat(done) if done else rows.new_zeros(0, rows.shape[1])


def _drawn(*shape: int) -> nn.Parameter:
    bound = shape[-1] ** -0.5
    return nn.Parameter(torch.empty(shape).uniform_(-bound, bound))
