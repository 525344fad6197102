"""One device of a driver: made current, its memory, the kernels of a binary."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass, field
from functools import cache, partial
from threading import local
from typing import Any

from uol.backends.simt.running.driver_api import Driver, DriverSource, Handle
from uol.codegen.backend import Artifact, Kernel
from uol.ir.errors import DeviceError, ResourceError, ToolchainError
from uol.ir.forking import in_child

WRONG_IMAGE = frozenset({200, 209, 222})
"""What a driver answers to a binary that is not for its device, or newer than itself: CUDA_ERROR_INVALID_IMAGE,
NO_BINARY_FOR_GPU, UNSUPPORTED_PTX_VERSION; HIP's are the same."""

FREE_SHARED_BYTES = 48 * 1024
"""Dynamic shared memory that a kernel may have without being allowed it: CUDA C++ Programming Guide, compute capability 8.0."""
MAX_DYNAMIC_SHARED_SIZE_BYTES = 8
"""CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES."""

NOT_CAPTURED = 0
"""CU_STREAM_CAPTURE_STATUS_NONE, hipStreamCaptureStatusNone."""


class Current(local):
    """What is current in a thread, as the driver tells it: each thread has a place of its own to be told it in."""

    def __init__(self, empty: Handle) -> None:
        self.handle = type(empty)()
        self.reference = ctypes.byref(self.handle)


@dataclass(frozen=True, slots=True, eq=False)
class DriverDevice:
    """A device of a driver, by PyTorch's index: the drivers count those that CUDA_VISIBLE_DEVICES or HIP_VISIBLE_DEVICES
    leave, as PyTorch does. `handle` is what makes it current: the primary context, which PyTorch has, too."""

    driver: Driver
    index: int
    handle: Handle
    current: Current = field(init=False)
    get_current: Any = field(init=False)
    set_current: Any = field(init=False)
    launch: Any = field(init=False)
    """The driver's call that enqueues a kernel: function, grid, block, bytes of shared memory, stream, arguments, None."""
    own: int | None = field(init=False)
    """What the handle holds."""

    def __post_init__(self) -> None:
        names = self.driver.source.names
        object.__setattr__(self, "current", Current(self.driver.source.new_handle()))
        object.__setattr__(self, "own", self.handle.value)
        for own, name in (("get_current", names.get_current), ("set_current", names.set_current), ("launch", names.launch)):
            object.__setattr__(self, own, self.driver.function(name))

    @property
    def where(self) -> str:
        return f"{self.driver.source.vendor} device {self.index}"

    def activate(self) -> int | None:
        current = self.current
        if status := self.get_current(current.reference):
            raise self.driver.failure("what is current", status)
        before: int | None = current.handle.value
        if before == self.own:
            return None
        if status := self.set_current(self.handle):
            raise self.driver.failure(f"making device {self.index} current", status)
        return before

    def restore(self, before: int) -> None:
        self.set_current(type(self.handle)(before))

    def allocate(self, size_bytes: int) -> int:
        if size_bytes == 0:
            return 0
        address = ctypes.c_void_p()
        names = self.driver.source.names
        if status := self.driver.function(names.allocate)(ctypes.byref(address), ctypes.c_size_t(size_bytes)):
            raise self.driver.failure(f"{names.allocate} of {size_bytes} bytes", status)
        return address.value or 0

    def free(self, address: int) -> None:
        if address:
            self.driver.require(self.driver.source.names.free, ctypes.c_void_p(address))

    def to_device_on(self, address: int, host: int, size_bytes: int, stream: int) -> None:
        """A copy in the order of a stream: one on the null stream is not waited for by streams that do not block. Memory of the
        host that is not pinned may be used again at once, since the driver has copied it by then."""
        if size_bytes:
            arguments = ctypes.c_void_p(address), ctypes.c_void_p(host), ctypes.c_size_t(size_bytes), ctypes.c_void_p(stream)
            self.driver.require(self.driver.source.names.to_device_on, *arguments)

    def to_host(self, host: int, address: int, size_bytes: int) -> None:
        if size_bytes:
            arguments = ctypes.c_void_p(host), ctypes.c_void_p(address), ctypes.c_size_t(size_bytes)
            self.driver.require(self.driver.source.names.to_host, *arguments)

    def synchronise(self, stream: int) -> None:
        self.driver.require(self.driver.source.names.synchronise, ctypes.c_void_p(stream))

    def is_capturing(self, stream: int) -> bool:
        """Is what is enqueued on the stream put into a graph instead of run?"""
        state = ctypes.c_int()
        self.driver.require(self.driver.source.names.is_capturing, ctypes.c_void_p(stream), ctypes.byref(state))
        return state.value != NOT_CAPTURED

    def functions(self, artifact: Artifact) -> list[ctypes.c_void_p]:
        """The kernels, of the first image that the device takes: the binary, or, where it takes that not, what else was built
        (PTX). It stays loaded as long as the process lives: a graph that was captured may hold its kernels. The device is
        current."""
        module, kernels = self._module(artifact), artifact.module.kernels
        found: list[ctypes.c_void_p] = []
        for kernel in kernels:
            function = ctypes.c_void_p()
            self.driver.require(self.driver.source.names.get_function, ctypes.byref(function), module, kernel.name.encode())
            self._allow_shared(kernel, function)
            found.append(function)
        return found

    def _module(self, artifact: Artifact) -> ctypes.c_void_p:
        module, op, refusals = ctypes.c_void_p(), artifact.module.graph.name, list[str]()
        source = self.driver.source
        load = self.driver.function(source.names.load_module)
        for image in dict.fromkeys((artifact.binary, *artifact.files.values())):
            status = load(ctypes.byref(module), ctypes.c_char_p(image))
            if status == 0:
                return module
            if status not in WRONG_IMAGE:
                raise self.driver.failure(f"loading {op}", status)
            refusals.append(f"{source.explain(self.driver.library, status)} (status {status})")
        made = f", made by {artifact.compiler}" if artifact.compiler else ""
        said = f"{self.where} takes no binary of {op}{made}: {'; '.join(refusals)}; its driver is {self.driver.version()}"
        hint = f"build it for that device; or, of a compiler that is newer than the driver, {source.compiler_hint}"
        raise ToolchainError(said, hint=hint)

    def _allow_shared(self, kernel: Kernel, function: ctypes.c_void_p) -> None:
        """Asks for as much dynamic shared memory as the kernel takes, once. Raises ResourceError where the device has less."""
        asked = kernel.launch.shared_bytes
        if asked <= FREE_SHARED_BYTES:
            return
        most = ctypes.c_int()
        names = self.driver.source.names
        self.driver.require(names.attribute, ctypes.byref(most), self.driver.source.most_shared, self.index)
        if asked > most.value:
            message = f"{kernel.name} takes {asked} bytes of shared memory; a block on {self.where} has {most.value}"
            raise ResourceError(message, hint="compile it for that device, or give a schedule with smaller tiles")
        if names.allow_shared:
            self.driver.require(names.allow_shared, function, MAX_DYNAMIC_SHARED_SIZE_BYTES, asked)


@cache
def device_of(source: DriverSource, index: int) -> DriverDevice:
    """The device of an index, once a process. Raises ToolchainError where the driver or the device is missing."""
    driver = source.open()
    device = DriverDevice(driver, index, driver.handle(index))
    in_child(partial(_refuse, device))
    return device


def _refuse(device: DriverDevice) -> None:
    """Makes every use of the device an error in a forked child: a driver that was woken before the fork does not work there,
    and PyTorch refuses its tensors, too."""

    def refuse(*_: object) -> int:
        message = f"{device.where} was opened before this process was forked, and a driver does not survive a fork"
        raise DeviceError(message, hint="start the process by 'spawn' or 'forkserver', or open the device in the child alone")

    object.__setattr__(device, "get_current", refuse)
