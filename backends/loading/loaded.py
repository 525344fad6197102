"""A built operator as a function of buffers, where a device is present."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from threading import RLock
from typing import Any, Protocol, cast

from uol.backends.abi.interface import workspace_layout
from uol.backends.loading.arguments import device_address
from uol.backends.loading.memory import DeviceMemory, Workspaces, on_device
from uol.codegen.loaded import Loaded
from uol.codegen.specs.graph import KernelGraph
from uol.ir.errors import ShapeError
from uol.ir.forking import fork_lock


class Enqueue(Protocol):
    """What a vendor does for one call: it enqueues all kernels of the operator on a stream."""

    def __call__(self, addresses: Sequence[int], scalars: Sequence[object], workspace: int, stream: int) -> None: ...


@dataclass(slots=True)
class DeviceOperator:
    """Call it with the operator's inputs, results and run-time attributes, in order.

    A buffer is device memory (an address, or anything with `data_ptr()`, as torch tensors have), which is enqueued on
    `stream` and not waited for; or a numpy array, which is copied to the device and back. A tensor that lies elsewhere, on the
    CPU or on another device, is an error.

    `workspace` is device memory of `workspace_bytes` or more, aligned as the graph says, that nothing else uses before the
    stream has got through the call. Where none is given, the operator has one of its own for each stream, from the first call
    on it; they are freed by `release`, or with the operator. With a workspace, and for an operator that needs none, a call on
    device memory allocates nothing and waits for nothing: it can be captured.

    The device is current while a call lasts; what was current before is so again. Calls from several threads take turns: the
    kernels of two calls in one workspace may not.
    """

    graph: KernelGraph
    memory: DeviceMemory
    enqueue: Enqueue
    index: int = field(init=False)
    count: int = field(init=False)
    arity: int = field(init=False)
    workspace_bytes: int = field(init=False)
    workspaces: Workspaces = field(init=False)
    lock: RLock = field(default_factory=fork_lock)

    def __post_init__(self) -> None:
        self.index = self.memory.index
        self.count = len(self.graph.args)
        self.arity = self.count + len(self.graph.scalars)
        self.workspace_bytes = workspace_layout(self.graph).bytes
        self.workspaces = Workspaces(self.memory, self.workspace_bytes)

    def __call__(self, *arguments: Any, stream: int = 0, workspace: Any = None) -> None:
        index, buffers = self.index, arguments[: self.count]
        try:  # tensors of this device, as nearly all calls have them
            addresses = [b.data_ptr() for b in buffers if b.get_device() == index]
        except AttributeError:
            addresses = []
        with self.lock:
            before = self.memory.activate()
            try:
                place = self._place(workspace, stream) if self.workspace_bytes else 0
                if len(addresses) == self.count and len(arguments) == self.arity:
                    self.enqueue(addresses, arguments[self.count :], place, stream)
                else:
                    self._call(arguments, place, stream)
            finally:
                if before is not None:
                    self.memory.restore(before)

    def on_current(self, stream: Callable[[int], int]) -> Callable[..., None]:
        """See `LoadedOnStreams`. All that a call looks up is looked up here."""
        count, index, enqueue = self.count, self.index, self.enqueue
        acquire, release = self.lock.acquire, self.lock.release  # half of what `with` takes
        activate, restore = self.memory.activate, self.memory.restore

        def call(*arguments: Any) -> None:
            addresses = [tensor.data_ptr() for tensor in arguments[:count]]
            acquire()
            try:
                before = activate()
                try:
                    enqueue(addresses, arguments[count:], 0, stream(index))
                finally:
                    if before is not None:
                        restore(before)
            finally:
                release()

        return call

    def release(self) -> None:
        """Frees the operator's own workspaces, when the streams have got through what was enqueued."""
        with self.lock:
            self.workspaces.release()

    def _call(self, arguments: Sequence[object], place: int, stream: int) -> None:
        """A call with addresses or arrays of the host among its buffers, or with an error in it."""
        graph = self.graph
        if len(arguments) != self.arity:
            names = [a.name for a in graph.args] + [s.name for s in graph.scalars]
            raise ShapeError(f"{graph.name} takes {len(names)} arguments: {', '.join(names)}")
        with on_device(self.memory, graph.args, arguments[: self.count], stream) as addresses:
            self.enqueue(addresses, arguments[self.count :], place, stream)

    def _place(self, given: object, stream: int) -> int:
        """The address of the call's workspace: the caller's, else the stream's own. Raises ShapeError for what is none."""
        if given is None:
            return self.workspaces.of(stream)
        name = self.graph.name
        address = device_address(f"the workspace of {name}", given, self.memory)
        if address is None:
            raise ShapeError(f"{name}: a workspace is device memory, not a {type(given).__name__}")
        held = getattr(given, "nbytes", self.workspace_bytes)
        if held < self.workspace_bytes:
            raise ShapeError(f"{name}: a workspace takes {self.workspace_bytes} bytes; this one has {held}")
        return aligned_workspace(self.graph, address)


KNOWN_SIZES = 512
"""Sizes of calls that an operator is prepared for at a time: to prepare it takes longer than a small kernel."""


class OpenOperator:
    """One whose kernels take dims as arguments: call it with these behind the run-time attributes, in order. `made_for` gives
    the operator at sizes for a first call on a stream; it is kept for the next call with them. No lock is held meanwhile, so
    that a process may fork: of two threads that make the same, the first one's is kept."""

    workspace_bytes = 0
    """Known at the call alone: see `at`."""

    def __init__(self, graph: KernelGraph, made_for: Callable[[Mapping[str, int], int], DeviceOperator]) -> None:
        self.graph = graph
        self._first_dim = len(graph.args) + len(graph.scalars)
        self._made_for = made_for
        self._known: dict[tuple[int, ...], DeviceOperator] = {}

    def at(self, *sizes: int, stream: int = 0) -> DeviceOperator:
        """The operator at these sizes of its dims. See `LoadedAtSizes`."""
        found = self._known.get(sizes)
        if found is not None:
            return found
        made = self._made_for(dict(zip(self.graph.dims, map(int, sizes), strict=True)), stream)
        for oldest in list(self._known)[: len(self._known) - KNOWN_SIZES + 1]:
            self._known.pop(oldest, None)
        return self._known.setdefault(sizes, made)

    def __call__(self, *arguments: Any, stream: int = 0, workspace: Any = None) -> None:
        dims = self.graph.dims
        if len(arguments) != self._first_dim + len(dims):
            raise ShapeError(f"{self.graph.name} takes the sizes {', '.join(dims)} behind its tensors and attributes")
        at = self.at(*arguments[self._first_dim :], stream=stream)
        at(*arguments[: self._first_dim], stream=stream, workspace=workspace)


def as_loaded(call: Callable[..., None], workspace_bytes: int) -> Loaded:
    """A function as a built operator: it is called as it is, without a step in between."""
    vars(call)["workspace_bytes"] = workspace_bytes
    return cast(Loaded, call)


def aligned_workspace(graph: KernelGraph, address: int) -> int:
    """The address. Raises ShapeError where a workspace of the operator may not lie there."""
    if address % graph.alignment_bytes:
        message = f"{graph.name}: the workspace is not aligned to {graph.alignment_bytes} bytes"
        raise ShapeError(message, hint="round its address up")
    return address
