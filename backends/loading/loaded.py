"""A built operator as a function of buffers, where a device is present."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Protocol, cast

from uol.backends.abi.interface import ALIGNMENT_BYTES, workspace_layout
from uol.backends.loading.arguments import device_address
from uol.backends.loading.memory import DeviceMemory, Workspaces, on_device
from uol.codegen.backend import Loaded
from uol.codegen.specs.graph import KernelGraph
from uol.ir.errors import ShapeError


class Enqueue(Protocol):
    """What a vendor does for one call: it enqueues all kernels of the operator on a stream."""

    def __call__(self, addresses: Sequence[int], scalars: Sequence[object], workspace: int, stream: int) -> None: ...


@dataclass(slots=True)
class DeviceOperator:
    """Call it with the operator's inputs, results and run-time attributes, in order.

    A buffer is device memory (an address, or anything with `data_ptr()`, as torch tensors have), which is enqueued on
    `stream` and not waited for; or a numpy array, which is copied to the device and back.

    `workspace` is device memory of `workspace_bytes` or more, aligned to 256 bytes, that nothing else uses before the stream
    has got through the call. Where none is given, the operator has one of its own for each stream, from the first call on it;
    they are freed by `release`, or with the operator.
    """

    graph: KernelGraph
    memory: DeviceMemory
    enqueue: Enqueue
    workspaces: Workspaces = field(init=False)

    def __post_init__(self) -> None:
        self.workspaces = Workspaces(self.memory, workspace_layout(self.graph.workspaces).bytes)

    @property
    def workspace_bytes(self) -> int:
        return self.workspaces.size_bytes

    def __call__(self, *arguments: object, stream: int = 0, workspace: object | None = None) -> None:
        args, scalars = self.graph.args, self.graph.scalars
        if len(arguments) != len(args) + len(scalars):
            names = [a.name for a in args] + [s.name for s in scalars]
            raise ShapeError(f"{self.graph.name} takes {len(names)} arguments: {', '.join(names)}")
        self.memory.activate()
        with (
            on_device(self.memory, args, arguments[: len(args)], stream) as addresses,
            self._workspace(workspace, stream) as address,
        ):
            self.enqueue(addresses, arguments[len(args) :], address, stream)

    def release(self) -> None:
        """Frees the operator's own workspaces, when the streams have got through what was enqueued."""
        self.workspaces.release()

    def _workspace(self, given: object | None, stream: int) -> AbstractContextManager[int]:
        if given is None:
            return self.workspaces.of(stream)
        address = device_address(given)
        if address is None:
            raise ShapeError(f"{self.graph.name}: a workspace is device memory, not a {type(given).__name__}")
        return nullcontext(aligned_workspace(self.graph.name, address))


def as_loaded(call: Callable[..., None], workspace_bytes: int) -> Loaded:
    """A function as a built operator: it is called as it is, without a step in between."""
    vars(call)["workspace_bytes"] = workspace_bytes
    return cast(Loaded, call)


def aligned_workspace(op: str, address: int) -> int:
    """The address. Raises ShapeError where a workspace may not lie there."""
    if address % ALIGNMENT_BYTES:
        raise ShapeError(f"{op}: the workspace is not aligned to {ALIGNMENT_BYTES} bytes", hint="round its address up")
    return address
