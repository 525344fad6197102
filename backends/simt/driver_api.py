"""A device's driver API through ctypes. CUDA's and HIP's have the same calls under other names."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from uol.codegen.backend import Launch
from uol.ir.errors import ToolchainError

Value = ctypes.c_void_p | ctypes.c_double | ctypes.c_float | ctypes.c_longlong
"""A kernel's argument: an address, or a run-time attribute by value."""


@dataclass(frozen=True, slots=True)
class DriverNames:
    """The vendor's names of the calls that a loader makes; all return a status, 0 for success."""

    load_module: str
    get_function: str
    launch: str
    allocate: str
    free: str
    to_device: str
    to_host: str
    synchronise: str


@dataclass(frozen=True, slots=True)
class Driver:
    """An opened driver library. `activate` makes a device current for this thread, `explain` names a status."""

    vendor: str
    library: ctypes.CDLL
    names: DriverNames
    activate: Callable[[], None]
    explain: Callable[[int], str]

    def functions(self, binary: bytes, symbols: Sequence[str]) -> dict[str, ctypes.c_void_p]:
        """Loads a binary and looks up its kernels."""
        self.activate()
        module = ctypes.c_void_p()
        self._call(self.names.load_module, ctypes.byref(module), ctypes.c_char_p(binary))
        found: dict[str, ctypes.c_void_p] = {}
        for symbol in symbols:
            function = ctypes.c_void_p()
            self._call(self.names.get_function, ctypes.byref(function), module, symbol.encode())
            found[symbol] = function
        return found

    def launch(self, function: ctypes.c_void_p, launch: Launch, stream: int, arguments: Sequence[Value]) -> None:
        """Enqueues a kernel on a stream."""
        addresses = (ctypes.c_void_p * len(arguments))(*(ctypes.addressof(a) for a in arguments))
        shape = (*launch.grid, *launch.block, launch.shared_bytes)
        self._call(self.names.launch, function, *map(ctypes.c_uint, shape), ctypes.c_void_p(stream), addresses, None)

    def allocate(self, size_bytes: int) -> int:
        """Device memory; its address, 0 for no bytes."""
        if size_bytes == 0:
            return 0
        address = ctypes.c_void_p()
        self._call(self.names.allocate, ctypes.byref(address), ctypes.c_size_t(size_bytes))
        return address.value or 0

    def free(self, address: int) -> None:
        if address:
            self._call(self.names.free, ctypes.c_void_p(address))

    def to_device(self, address: int, host: int, size_bytes: int) -> None:
        if size_bytes:
            self._call(self.names.to_device, ctypes.c_void_p(address), ctypes.c_void_p(host), ctypes.c_size_t(size_bytes))

    def to_host(self, host: int, address: int, size_bytes: int) -> None:
        if size_bytes:
            self._call(self.names.to_host, ctypes.c_void_p(host), ctypes.c_void_p(address), ctypes.c_size_t(size_bytes))

    def synchronise(self, stream: int) -> None:
        self._call(self.names.synchronise, ctypes.c_void_p(stream))

    def _call(self, name: str, *arguments: object) -> None:
        status: int = getattr(self.library, name)(*arguments)
        if status != 0:
            raise ToolchainError(f"{name} failed on the {self.vendor} device: {self.explain(status)}")
