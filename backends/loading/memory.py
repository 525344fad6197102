"""Memory of a device: arrays of the host staged into it, and a workspace for each stream."""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

from uol.backends.loading.arguments import device_address, host_address, span_bytes
from uol.codegen.specs.nodes import Arg


class DeviceMemory(Protocol):
    """What a vendor's driver offers. All sizes are in bytes; none allocates, copies or frees nothing."""

    @property
    def where(self) -> str:
        """The device's name as errors say it."""
        ...

    @property
    def index(self) -> int:
        """PyTorch's index of the device."""
        ...

    def activate(self) -> int | None:
        """Makes the device current for this thread; tells what was, where that was another device."""
        ...

    def restore(self, before: int) -> None:
        """Makes current what was so before."""
        ...

    def allocate(self, size_bytes: int) -> int:
        """Device memory; its address, 0 for no bytes."""
        ...

    def free(self, address: int) -> None: ...

    def to_device_on(self, address: int, host: int, size_bytes: int, stream: int) -> None:
        """Copies in the order of a stream: what is enqueued on it afterwards finds the copy. The host's memory stays as it is
        until the stream has got through it."""
        ...

    def to_host(self, host: int, address: int, size_bytes: int) -> None: ...

    def synchronise(self, stream: int) -> None:
        """Waits for all that was enqueued on a stream."""
        ...


@contextmanager
def current(memory: DeviceMemory) -> Iterator[None]:
    """Within it the device is current for this thread, afterwards what was so before."""
    before = memory.activate()
    try:
        yield
    finally:
        if before is not None:
            memory.restore(before)


@contextmanager
def on_device(memory: DeviceMemory, args: Sequence[Arg], given: Sequence[object], stream: int) -> Iterator[tuple[int, ...]]:
    """The addresses of a call's buffers, in order. Arrays of the host are copied in before and, where they are results, out
    after what is enqueued on the stream meanwhile."""
    staged: list[tuple[Arg, int, int]] = []
    addresses: list[int] = []
    try:
        for arg, buffer in zip(args, given, strict=True):
            address = device_address(arg.name, buffer, memory)
            if address is None:
                host = host_address(arg.name, buffer)
                address = memory.allocate(span_bytes(arg))
                staged.append((arg, host, address))
                memory.to_device_on(address, host, span_bytes(arg), stream)
            addresses.append(address)
        yield tuple(addresses)
        if staged:
            memory.synchronise(stream)
        for arg, host, address in staged:
            if arg.role != "in":
                memory.to_host(host, address, span_bytes(arg))
    finally:
        for _, _, address in staged:
            memory.free(address)


@dataclass(slots=True, weakref_slot=True)
class Workspaces:
    """The workspaces of one operator, one for each stream that it has been called on.

    What is enqueued on one stream runs in order, so that its calls may share a workspace; calls on two streams may not. They
    are freed with the operator.
    """

    memory: DeviceMemory
    size_bytes: int
    blocks: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        weakref.finalize(self, _free, self.memory, self.blocks).atexit = False  # the driver may be gone before

    def of(self, stream: int) -> int:
        """The address of a stream's workspace, 0 where none is needed. The device is current."""
        if self.size_bytes and stream not in self.blocks:
            self.blocks[stream] = self.memory.allocate(self.size_bytes)
        return self.blocks.get(stream, 0)

    def release(self) -> None:
        """Frees all of them, when the streams have got through what was enqueued."""
        _free(self.memory, self.blocks)


def _free(memory: DeviceMemory, blocks: dict[int, int]) -> None:
    if not blocks:
        return
    with current(memory):
        while blocks:
            stream, address = blocks.popitem()
            memory.synchronise(stream)
            memory.free(address)
