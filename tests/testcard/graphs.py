"""Graphs of the test card: launches that are captured once and replayed, as those of accelerators are.

    with captured(card) as graph:
        y = function(x)         # on a stream of its own; nothing runs
    x.copy_(other)
    graph.replay()              # y is function(other)

What is captured knows addresses alone: a tensor that is gone may have given its memory to a later one. Before each replay the
memory of the capture is filled with NaN. Waiting, copies from and to the host, operators of PyTorch's and launches on other
streams are errors meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch

from testcard import device
from uol.ir.errors import DeviceError


@dataclass(eq=False)
class Graph:
    """The launches of a capture, and the copies within the card, in order. `kernels`: how many are launches."""

    card: int
    stream: int
    pool: int = 0
    launches: list[Callable[[], object]] = field(default_factory=list)
    kernels: int = 0

    def noting(self, kernel: Callable[..., object], card: int, stream: int) -> Callable[..., None]:
        """What takes a launch down."""
        if (card, stream) != (self.card, self.stream):
            raise DeviceError(f"a launch on stream {stream} of card {card} is in no capture")

        def note(*arguments: Any, workspace: int | None) -> None:
            given = [_without_owner(a) if isinstance(a, torch.Tensor) else a for a in arguments]
            self.kernels += 1
            self.launches.append(lambda: kernel(*given, workspace=workspace))

        return note

    def replay(self) -> None:
        device.forget(self.pool)
        for launch in self.launches:
            launch()


def _without_owner(x: torch.Tensor) -> torch.Tensor:
    """A tensor at the same address, which keeps nothing alive."""
    storage = x.untyped_storage()
    bare = torch._C._construct_storage_from_data_pointer(storage.data_ptr(), x.device, storage.nbytes())
    return torch.empty(0, dtype=x.dtype, device=x.device).set_(bare, x.storage_offset(), x.shape, x.stride())


@contextmanager
def captured(card: int = 0) -> Iterator[Graph]:
    """Within, a card captures on a stream of its own."""
    from testcard.backend import RECORD

    stream = torch.Stream(device=f"{device.NAME}:{card}")
    with stream:
        RECORD.graph = graph = Graph(card, stream.stream_id)
        on_copy = device.OnCopy(lambda place: graph.launches.append(lambda: device.copy_again(place)))
        graph.pool = device.begin_capture(card, on_copy)
        try:
            yield graph
        finally:
            device.end_capture(card)
            RECORD.graph = None
