"""Memory of values that do not leave a graph: planned once, shared by those that are not alive at once, kept from call to call,
in large pages where it is large."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import fx

from uol.pytorch.graph.plan import Step
from uol.pytorch.large_pages import ask_for_large_pages, is_large

LINE = 64
"""Bytes that blocks are multiples of."""
WASTE = 4
"""A block is taken for a value of at least this part of it."""


class Arena:
    """The blocks of one program. `result`: nodes whose values the caller gets."""

    def __init__(self, steps: Sequence[Step], result: set[fx.Node]) -> None:
        self._root: dict[fx.Node, fx.Node] = {}
        self._last: dict[fx.Node, int] = {}
        self._free: list[torch.Tensor] = []
        self._busy: list[tuple[int, torch.Tensor]] = []
        self.bytes = 0
        leaving: set[fx.Node] = set()
        for k, step in enumerate(steps):
            for i in step.inputs:
                self._last[self._of(i)] = k
            if step.kind in ("view", "pytorch", "inductor"):  # PyTorch may give a view of any of its inputs, too
                for o in step.outputs:
                    if len(step.inputs) == 1:
                        self._root[o] = self._of(step.inputs[0])
                    elif step.inputs:
                        leaving |= {self._of(i) for i in step.inputs}
        self._leaving = {self._of(n) for n in result} | leaving

    def _of(self, n: fx.Node) -> fx.Node:
        while n in self._root:
            n = self._root[n]
        return n

    def holds(self, n: fx.Node) -> bool:
        """May a value lie here?"""
        return n not in self._leaving

    def take(self, n: fx.Node, step: int, sizes: tuple[int, ...], strides: tuple[int, ...], dtype: torch.dtype) -> torch.Tensor:
        """Memory for a value that a step makes, until its last reader has run."""
        self._free += [block for until, block in self._busy if until < step]
        self._busy = [(until, block) for until, block in self._busy if until >= step]
        count = 1 + sum((d - 1) * t for d, t in zip(sizes, strides, strict=True))
        need = count * dtype.itemsize
        fitting = [b for b in self._free if need <= b.numel() <= WASTE * need + 4096]
        if fitting:
            block = min(fitting, key=torch.Tensor.numel)
            self._free = [b for b in self._free if b is not block]
        else:
            block = torch.empty(-(-need // LINE) * LINE, dtype=torch.uint8)
            if is_large(block.numel(), block.dtype):
                ask_for_large_pages(block)
            self.bytes += block.numel()
        self._busy.append((self._last.get(n, step), block))
        return block[:need].view(dtype).as_strided(sizes, strides)
