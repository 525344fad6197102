"""A device's driver API through ctypes. CUDA's and HIP's have the same calls under other names."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

from uol.codegen.backend import Launch, ToolState
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

    def launch(
        self, function: ctypes.c_void_p, launch: Launch, grid: tuple[int, int, int], stream: int, arguments: Sequence[Value]
    ) -> None:
        """Enqueues a kernel on a stream; `grid` is the launch's, as numbers."""
        addresses = (ctypes.c_void_p * len(arguments))(*(ctypes.addressof(a) for a in arguments))
        shape = (*grid, *launch.block, launch.shared_bytes)
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


@dataclass(frozen=True, slots=True)
class DriverSource:
    """Where a vendor's driver comes from and how it is woken.

    software    what must be installed: "CUDA driver"
    libraries   names to try, in order
    start       readies an opened library and gives what makes a device current for a thread; raises ToolchainError
                where there is no device
    explain     names a status
    """

    vendor: str
    software: str
    libraries: tuple[str, ...]
    names: DriverNames
    start: Callable[[ctypes.CDLL], Callable[[], None]]
    explain: Callable[[ctypes.CDLL, int], str]
    hint: str

    def open(self) -> Driver:
        """The driver, opened once a process. Raises ToolchainError where it or its device is missing."""
        return _open(self)

    def find(self) -> ctypes.CDLL | None:
        """The first of its libraries that is installed."""
        for name in self.libraries:
            try:
                return ctypes.CDLL(name)
            except OSError:
                continue
        return None

    def state(self) -> ToolState:
        """The driver, as `uol doctor` shows it."""
        try:
            self.open()
            found, detail = True, f"{self.libraries[0]}, with a device"
        except ToolchainError as error:
            found, detail = False, error.message
        cost = f"{self.vendor} kernels run in the twin, not on a device"
        return ToolState(f"{self.vendor} device", found, detail, cost, self.hint)


@cache
def _open(source: DriverSource) -> Driver:
    library = source.find()
    if library is None:
        raise ToolchainError(f"no {source.software} was found: kernels can be built here, not run", hint=source.hint)
    activate = source.start(library)
    return Driver(source.vendor, library, source.names, activate, lambda status: source.explain(library, status))
