"""The cotangents that pass through a call on the way back.

Each input that needs a gradient enters the call through a door of its own, an identity of autograd's, and each result has a
hook: so the call's own part of the input's gradient is seen, whatever else reads the input, and the cotangents it came from.
An input that the call writes over passes a door that writes, which leaves it as it is.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_map

Arrived = Callable[[int, int, Tensor], None]
"""Is told of the cotangent of an input: which walk through the graph it belongs to, the input's id, and the cotangent."""


class _Door(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, key: int, arrived: Arrived) -> Tensor:
        ctx.key, ctx.arrived = key, arrived
        ctx.set_materialize_grads(False)
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, dx: Tensor | None) -> Any:
        if dx is not None:
            ctx.arrived(walk_through_graph(), ctx.key, dx.detach())
        return dx, None, None


class _WritingDoor(_Door):
    @staticmethod
    def forward(ctx: Any, x: Tensor, key: int, arrived: Arrived) -> Tensor:
        ctx.key, ctx.arrived = key, arrived
        ctx.set_materialize_grads(False)
        ctx.mark_dirty(x)
        return x


def walk_through_graph() -> int:
    """The number of the call of `backward` that is under way."""
    return int(torch._C._current_graph_task_id())


def through_doors(arguments: Any, written: Tensor | None, arrived: Arrived) -> tuple[Any, dict[int, Any]]:
    """The arguments, with what needs a gradient behind doors, and the doors in autograd's graph, by the ids of the inputs.
    `written`: what the call writes over; a leaf, or a view, which autograd treats in ways of its own, has no door."""
    inside: dict[int, Tensor] = {}
    doors: dict[int, Any] = {}

    def entered(x: Any) -> Any:
        if not isinstance(x, Tensor) or not x.requires_grad:
            return x
        if x is written and (x.is_leaf or x._is_view()):
            return x
        if id(x) not in inside:
            inside[id(x)] = _enter(x, x is written, arrived)
            doors[id(x)] = inside[id(x)].grad_fn
        return inside[id(x)]

    return tree_map(entered, arguments), doors


def _enter(x: Tensor, is_written: bool, arrived: Arrived) -> Tensor:
    if is_written:
        _WritingDoor.apply(x, id(x), arrived)  # type: ignore[no-untyped-call]  # as PyTorch declares it
        return x
    inside: Tensor = _Door.apply(x, id(x), arrived)  # type: ignore[no-untyped-call]  # as PyTorch declares it
    if isinstance(x, torch.nn.Parameter):
        inside._is_param = True  # kernels are chosen by it: `uol.pytorch.call`
    return inside


def unreached(results: Sequence[Tensor], doors: dict[int, Any]) -> list[int]:
    """The inputs whose doors no way back from the results leads to."""
    ends = {node: key for key, node in doors.items()}
    pending, seen, found = [y.grad_fn for y in results if y.grad_fn is not None], set(), set()
    while pending:
        node = pending.pop()
        if node in seen:
            continue
        seen.add(node)
        if node in ends:
            found.add(ends[node])
        else:
            pending += [each for each, _ in node.next_functions if each is not None]
    return [key for key in doors if key not in found]


class Cotangents:
    """Those of a call's results, for each walk through the graph, by the result's place."""

    def __init__(self, results: Sequence[Tensor], begun: Callable[[], None]) -> None:
        self.of: dict[int, dict[int, Tensor]] = defaultdict(dict)
        self.begun = begun
        for place, y in enumerate(results):
            if y.requires_grad:
                y.register_hook(self._hook(place))

    def _hook(self, place: int) -> Callable[[Tensor], None]:
        def keep(dy: Tensor) -> None:
            self.begun()
            self.of[walk_through_graph()][place] = dy.detach()

        return keep
