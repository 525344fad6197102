"""A layer of experts, of `uol`'s operators alone: y = sum over the chosen experts of p * down(silu(gate x) * up x)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from uol.pytorch.bridge import operator

Operator = Callable[..., Any]

scores: Operator = operator("moe_scores")
gate: Operator = operator("moe_gate")
dispatch: Operator = operator("moe_dispatch")
capacity: Operator = operator("moe_capacity")
swiglu: Operator = operator("moe_swiglu")
grouped: Operator = operator("grouped_matmul")
combine: Operator = operator("moe_combine")


class Mixed(NamedTuple):
    """What a layer gives: tokens [N, D]; the two losses of its router, each one number in the accumulator's type; the experts
    that each token chose, i64 [N, top], best first."""

    y: Tensor
    balance: Tensor
    z: Tensor
    expert: Tensor


class Experts(nn.Module):
    """The parameters of a layer: `router` [E, D], `gate` and `up` [E, F, D], `down` [E, D, F], drawn as PyTorch draws those of
    a linear layer. `capacity`: how many tokens an expert has room for, in token order; None is no limit."""

    def __init__(self, width: int, hidden: int, experts: int, top: int = 4, capacity: int | None = None) -> None:
        super().__init__()
        self.top = top
        self.capacity = capacity
        self.router = drawn_router(experts, width)
        self.gate, self.up = drawn(experts, hidden, width), drawn(experts, hidden, width)
        self.down = drawn(experts, width, hidden)


class MixtureOfExperts(Experts):
    """Nothing of a call is read by the host: sizes do not depend on the routing, and a token that finds no room keeps its row,
    with a weight of 0."""

    def forward(self, x: Tensor) -> Mixed:
        """`x` [N, D], in a type of the parameters'; N may be 0."""
        p, expert, balance, z = gate(scores(x, self.router), top=self.top)
        src, key, place, counts = dispatch(expert.reshape(-1), experts=len(self.router), top=self.top)
        at = place.reshape(expert.shape)
        if self.capacity is not None:
            p = capacity(p, expert, at, counts, capacity=self.capacity)
        hidden = swiglu(x, src, key, self.gate, self.up)
        return Mixed(combine(grouped(hidden, key, self.down), at, p), balance, z, expert)


def drawn_router(experts: int, width: int) -> nn.Parameter:
    """[E, D] with the experts side by side in memory: kernels then have them on their lanes and sum each score in the order of
    D, so that its bits depend on how many tokens there are only where a device cuts D into parts for few of them."""
    return nn.Parameter(drawn(experts, width).detach().t().contiguous().t())


def drawn(*shape: int) -> nn.Parameter:
    """A parameter as PyTorch draws that of a linear layer."""
    bound = shape[-1] ** -0.5
    return nn.Parameter(torch.empty(shape).uniform_(-bound, bound))
