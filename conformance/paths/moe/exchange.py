"""What the ranks of a `torch.distributed` group give each other, with gradients; a rank that is lost is an error on the others.

A loss that all ranks compute alike counts once: gradients are those of the sum of what each rank alone adds to it. Where a
gradient passes an exchange, all ranks have to ask for it, in the same order.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from torch import Tensor, distributed
from torch.autograd import Function
from torch.distributed import ProcessGroup

from uol.ir.errors import UolError

Sizes = Sequence[int]


class RankError(UolError):
    """Another rank has ended, or has not answered within the time-out of its group (`init_process_group(timeout=...)`)."""


def exchange(rows: Tensor, sent: Sizes, received: Sizes, group: ProcessGroup) -> Tensor:
    """Of `rows` [M, D], the first `sent[0]` go to rank 0, the next `sent[1]` to rank 1, ...; gives `received[0]` rows of
    rank 0, then those of rank 1, ... The gradient of an exchange is the exchange back. Raises RankError."""
    exchanged: Tensor = _Exchange.apply(rows, sent, received, group)  # type: ignore[no-untyped-call]  # PyTorch gives it no types
    return exchanged


def gather(x: Tensor, group: ProcessGroup) -> Tensor:
    """What each rank has as `x`, one below the other: [ranks, ...], the same bits on every rank. All ranks have to make the
    same of it: of its gradient, each takes its own row. Raises RankError."""
    gathered: Tensor = _Gather.apply(x, group)  # type: ignore[no-untyped-call]  # PyTorch gives it no types
    return gathered


class _Exchange(Function):
    @staticmethod
    def forward(ctx: Any, rows: Tensor, sent: Sizes, received: Sizes, group: ProcessGroup) -> Tensor:
        ctx.back = received, sent, group
        made = rows.new_empty(sum(received), *rows.shape[1:])
        with _all_answer(group):
            distributed.all_to_all_single(made, rows.contiguous(), list(received), list(sent), group)
        return made

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        return exchange(grad, *ctx.back), None, None, None


class _Gather(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, group: ProcessGroup) -> Tensor:
        ctx.rank = group.rank()
        made = x.new_empty(group.size(), *x.shape)
        with _all_answer(group):
            distributed.all_gather(list(made), x.contiguous(), group)
        return made

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        return grad[ctx.rank], None


@contextmanager
def _all_answer(group: ProcessGroup) -> Iterator[None]:
    """Raises RankError where PyTorch's own error says that a rank does not answer: its kinds of error are RuntimeErrors."""
    try:
        yield
    except RuntimeError as error:
        first_line, _, _ = str(error).partition("\n")
        message = f"rank {group.rank()} of {group.size()} waited for another that has ended or does not answer: {first_line}"
        raise RankError(
            message, hint="look for the first error among the logs of the ranks; then start all of them again"
        ) from error
