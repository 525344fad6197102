"""The layer of experts over the ranks of a `torch.distributed` group: each has some of the experts and some of the tokens.

What the ranks compute is what `MixtureOfExperts` computes of all their tokens, those of rank 0 first: losses and capacity, too.
An expert meets its tokens in the same order on any number of ranks.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, distributed, nn
from torch.distributed import ProcessGroup

from uol.conformance.paths.moe import layer
from uol.conformance.paths.moe.exchange import exchange, gather
from uol.conformance.paths.moe.layer import Mixed, Operator
from uol.ir.errors import UolError
from uol.pytorch.bridge import operator

_select: Operator = operator("index_select")
_softmax: Operator = operator("softmax")
_logsumexp: Operator = operator("logsumexp")
_mul: Operator = operator("mul")
_sum: Operator = operator("sum")


class Routes(NamedTuple):
    """Where the rows of a call go. `sent`, `received`: rows to and from each rank, the only numbers that the host reads.
    `expert` [rows received]: which of its own experts a rank applies to each. `earlier` [E]: how many rows of each expert the
    ranks before this one have. `counts` [E]: how many there are in all."""

    sent: list[int]
    received: list[int]
    expert: Tensor
    earlier: Tensor
    counts: Tensor


class ExpertParallel(nn.Module):
    """`MixtureOfExperts` with `experts / ranks` of the experts on each rank of `group` (that of all ranks, where it is not
    given): `gate`, `up` and `down` are a rank's own, `router` is every rank's. From one seed, parameters are those of
    `MixtureOfExperts`, on any number of ranks.

    Gradients of `gate`, `up`, `down` and of the tokens are whole; that of `router` is what this rank's tokens add to it: sum it
    over the ranks. All ranks call the layer and its gradient the same number of times. Raises UolError where the ranks do not
    divide the experts, and RankError in a call where a rank is lost.
    """

    def __init__(
        self,
        width: int,
        hidden: int,
        experts: int,
        top: int = 4,
        capacity: int | None = None,
        group: ProcessGroup | None = None,
    ) -> None:
        super().__init__()
        self.group = _group_of(group)
        if experts % self.group.size():
            message = f"{experts} experts cannot be divided among {self.group.size()} ranks"
            raise UolError(message, hint="take as many ranks as divide the number of experts")
        self.top, self.capacity = top, capacity
        self.router = layer.drawn_router(experts, width)
        self.gate, self.up = self._drawn_share(experts, hidden, width), self._drawn_share(experts, hidden, width)
        self.down = self._drawn_share(experts, width, hidden)

    def forward(self, x: Tensor) -> Mixed:
        """`x` [N, D], this rank's tokens: N may be another on each rank, and 0. Gives their rows and experts, and the losses of
        all tokens."""
        score = layer.scores(x, self.router)
        p, expert, _, _ = layer.gate(score, top=self.top)
        src, _, place, counts = layer.dispatch(expert.reshape(-1), experts=len(self.router), top=self.top)
        routes = self._routes(counts)
        at = place.reshape(expert.shape)
        if self.capacity is not None:
            p = layer.capacity(p, expert, at + routes.earlier[expert], counts, capacity=self.capacity)
        rows = exchange(_select(x, src), routes.sent, routes.received, self.group)
        done = exchange(self._experts(rows, routes.expert), routes.received, routes.sent, self.group)
        return Mixed(layer.combine(done, at, p), *self._losses(score, routes.counts), expert)

    def _experts(self, rows: Tensor, expert: Tensor) -> Tensor:
        """Each row by an expert of this rank."""
        src, key, place, _ = layer.dispatch(expert, experts=len(self.gate), top=1)
        hidden = layer.swiglu(rows, src, key, self.gate, self.up)
        done: Tensor = _select(layer.grouped(hidden, key, self.down), place)
        return done

    def _routes(self, counts: Tensor) -> Routes:
        """`counts` [E]: how many rows of this rank each expert has."""
        rank, ranks, own = self.group.rank(), self.group.size(), len(self.gate)
        everyones = gather(counts, self.group)
        between = everyones.view(ranks, ranks, own).sum(-1).tolist()
        sent, received = between[rank], [line[rank] for line in between]
        mine = everyones[:, rank * own : (rank + 1) * own].flatten()
        experts = torch.arange(own, device=counts.device).repeat(ranks)
        expert = experts.repeat_interleave(mine, output_size=sum(received))
        return Routes(sent, received, expert, everyones[:rank].sum(0), everyones.sum(0))

    def _losses(self, score: Tensor, counts: Tensor) -> tuple[Tensor, Tensor]:
        """`balance` and `z` of all tokens, as `moe_gate` has them of one rank's."""
        chosen = counts.sum().clamp(min=1).to(score.dtype)
        tokens = chosen / self.top
        lse = _logsumexp(score)
        own = torch.cat([_sum(_softmax(score), dim=0), _sum(_mul(lse, lse), dim=0, keepdim=True)])
        sums = gather(own, self.group).sum(0)
        share = len(counts) * counts.to(score.dtype) / chosen
        return (share * (sums[:-1] / tokens)).sum(), sums[-1] / tokens

    def _drawn_share(self, experts: int, *shape: int) -> nn.Parameter:
        """This rank's of what `MixtureOfExperts` draws whole. Every rank draws all shares, one at a time."""
        ranks = self.group.size()
        shares = (layer.drawn(experts // ranks, *shape) for _ in range(ranks))
        (own,) = [share for rank, share in enumerate(shares) if rank == self.group.rank()]
        return own


def _group_of(group: ProcessGroup | None) -> ProcessGroup:
    if not distributed.is_initialized():
        raise UolError("there are no ranks yet", hint="call torch.distributed.init_process_group first")
    found = group or distributed.group.WORLD
    assert found is not None  # the group of all ranks is there once they are
    return found
