"""What a backend gives for a built module: functions of buffers, where a device is present."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable


class Loaded(Protocol):
    """A built operator as a function of its inputs, results, run-time attributes and symbolic dims, in order."""

    @property
    def workspace_bytes(self) -> int:
        """How large the workspace of a call is; 0 where it needs none, or where its size is known at the call alone."""
        ...

    def __call__(self, *arguments: Any, stream: int = 0, workspace: Any = None) -> None:
        """Enqueues it on a stream, where the device has streams; else it is done when the call returns. `workspace` is memory
        of the device for the buffers between kernels, as large and as aligned as the C interface asks, that nothing else uses
        before the call is done; without one, the operator uses memory that no call on another stream does. The device is
        current while it enqueues, and afterwards what was current before."""
        ...


@runtime_checkable
class LoadedOnStreams(Loaded, Protocol):
    """A built operator on a device of PyTorch's that has streams."""

    def on_current(self, stream: Callable[[int], int]) -> Callable[..., None]:
        """The operator, which needs no workspace, as a function of tensors that are known to lie on its device, enqueued on
        the stream that `stream` gives for the device's index at each call: what costs a call least."""
        ...


@runtime_checkable
class LoadedAtSizes(Loaded, Protocol):
    """A built operator whose kernels take dims as arguments, on a device of PyTorch's that has streams."""

    def at(self, *sizes: int, stream: int = 0) -> LoadedOnStreams:
        """The operator at these sizes of its dims, without them among its arguments. `stream` is the one that its first call
        goes to: where no call has taken its kernels so far, they are built and loaded here. Raises DeviceError instead where
        the stream is captured, in which the driver loads nothing."""
        ...
