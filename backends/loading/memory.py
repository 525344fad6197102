"""Memory of a device: arrays of the host staged into it, and a workspace for each stream."""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import RLock
from typing import Protocol

from uol.backends.loading.arguments import device_address, host_address, span_bytes
from uol.codegen.specs.nodes import Arg


class DeviceMemory(Protocol):
    """What a vendor's driver offers. All sizes are in bytes; none allocates, copies or frees nothing."""

    def activate(self) -> None:
        """Makes the device current for this thread."""
        ...

    def allocate(self, size_bytes: int) -> int:
        """Device memory; its address, 0 for no bytes."""
        ...

    def free(self, address: int) -> None: ...

    def to_device(self, address: int, host: int, size_bytes: int) -> None: ...

    def to_host(self, host: int, address: int, size_bytes: int) -> None: ...

    def synchronise(self, stream: int) -> None:
        """Waits for all that was enqueued on a stream."""
        ...


@contextmanager
def on_device(memory: DeviceMemory, args: Sequence[Arg], given: Sequence[object], stream: int) -> Iterator[tuple[int, ...]]:
    """The addresses of a call's buffers, in order. Arrays of the host are copied in before and, where they are results, out
    after what is enqueued on the stream meanwhile."""
    staged: list[tuple[Arg, int, int]] = []
    addresses: list[int] = []
    try:
        for arg, buffer in zip(args, given, strict=True):
            address = device_address(buffer)
            if address is None:
                host = host_address(arg.name, buffer)
                address = memory.allocate(span_bytes(arg))
                staged.append((arg, host, address))
                memory.to_device(address, host, span_bytes(arg))
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
    lock: RLock = field(default_factory=RLock)

    def __post_init__(self) -> None:
        weakref.finalize(self, _free, self.memory, self.blocks).atexit = False  # the driver may be gone before

    @contextmanager
    def of(self, stream: int) -> Iterator[int]:
        """The address of a stream's workspace. Within, no other thread enqueues on it: the kernels of two calls would take
        turns in it."""
        with self.lock:
            if stream not in self.blocks:
                self.blocks[stream] = self.memory.allocate(self.size_bytes)
            yield self.blocks[stream]

    def release(self) -> None:
        """Frees all of them, when the streams have got through what was enqueued."""
        with self.lock:
            _free(self.memory, self.blocks)


def _free(memory: DeviceMemory, blocks: dict[int, int]) -> None:
    memory.activate()
    while blocks:
        stream, address = blocks.popitem()
        if address:
            memory.synchronise(stream)
            memory.free(address)
