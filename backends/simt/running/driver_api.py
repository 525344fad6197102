"""A vendor's driver API through ctypes. CUDA's and HIP's have the same calls under other names.

The calls that every launch makes are given no `argtypes`: ctypes takes ints and its own objects as they are, in half the time
that conversions take. What is longer than an int is therefore always a ctypes object.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

from uol.backends.loading.ranges import RangeSource
from uol.backends.toolchain.shared_library import open_first
from uol.codegen.backend import ToolState
from uol.ir.errors import DeviceError, ToolchainError

Handle = ctypes.c_void_p | ctypes.c_int
"""What is current in a thread: a context of CUDA's, the number of a device of HIP's."""


@dataclass(frozen=True, slots=True)
class DriverNames:
    """The vendor's names of the calls that a loader makes; all return a status, 0 for success. `allow_shared` is empty where a
    kernel may have as much shared memory as the device has, without being asked for."""

    count: str
    attribute: str
    get_current: str
    set_current: str
    load_module: str
    get_function: str
    allow_shared: str
    launch: str
    allocate: str
    free: str
    to_device_on: str
    to_host: str
    synchronise: str
    is_capturing: str
    version: str


@dataclass(frozen=True, slots=True)
class DriverSource:
    """Where a vendor's driver comes from and how it is woken.

    software      what must be installed: "CUDA driver"
    libraries     names to try, in order
    most_shared   the number of the attribute of a device that says how many bytes of shared memory a block may have
    start         readies an opened library; its status
    handle        what makes a device current, for the device of an index, into a new handle; its status
    new_handle    an empty handle
    explain       names a status
    ranges        the library of its profiler
    version       a version of the driver, as the call of that name tells it, in the vendor's form: "CUDA 12.4"
    compiler_hint how another compiler is taken, whose binaries an older driver knows
    """

    vendor: str
    software: str
    libraries: tuple[str, ...]
    names: DriverNames
    most_shared: int
    start: Callable[[ctypes.CDLL], int]
    handle: Callable[[ctypes.CDLL, int, Handle], int]
    new_handle: Callable[[], Handle]
    explain: Callable[[ctypes.CDLL, int], str]
    ranges: RangeSource
    version: Callable[[int], str]
    compiler_hint: str
    hint: str

    def open(self) -> Driver:
        """The driver, opened once a process. Raises ToolchainError where it or a device of its is missing."""
        return _open(self)

    def find(self) -> ctypes.CDLL | None:
        """The first of its libraries that this process has loaded, as PyTorch has its own; else the first that is installed."""
        return open_first(self.libraries)

    def state(self) -> ToolState:
        """The driver, as `uol doctor` shows it."""
        try:
            devices = self.open().count()
            found, detail = True, f"{self.libraries[0]}, with {devices} device{'s' if devices > 1 else ''}"
        except (ToolchainError, DeviceError) as error:
            found, detail = False, error.message
        cost = f"{self.vendor} kernels run in the twin, not on a device"
        return ToolState(f"{self.vendor} device", found, detail, cost, self.hint)


@dataclass(frozen=True, slots=True)
class Driver:
    """An opened driver library."""

    source: DriverSource
    library: ctypes.CDLL

    def count(self) -> int:
        """How many devices there are."""
        found = ctypes.c_int()
        self.require(self.source.names.count, ctypes.byref(found))
        return found.value

    def handle(self, index: int) -> Handle:
        """What makes the device of an index current. Raises ToolchainError where there is no such device."""
        if not 0 <= index < (there := self.count()):
            vendor = self.source.vendor
            raise ToolchainError(f"there is no {vendor} device {index}", hint=f"there are {there}, counted from 0")
        found = self.source.new_handle()
        if status := self.source.handle(self.library, index, found):
            raise self.failure("its context", status)
        return found

    def version(self) -> str:
        """As the vendor writes it; a question mark for one that the driver does not tell."""
        found = ctypes.c_int()
        status = self.library[self.source.names.version](ctypes.byref(found))
        return "?" if status else self.source.version(found.value)

    def function(self, name: str) -> Any:
        """A call of the library, by name, with a conversion of arguments of its own (none)."""
        return self.library[name]

    def require(self, name: str, *arguments: object) -> None:
        """Calls it. Raises DeviceError, with the driver's text, where it fails."""
        if status := self.library[name](*arguments):
            raise self.failure(name, status)

    def failure(self, what: str, status: int) -> DeviceError:
        """The error of a call that failed."""
        said = self.source.explain(self.library, status)
        hint = "what an earlier kernel did wrong may be told here; memory that was freed lets a call work that ran out of it"
        return DeviceError(f"{what} failed on the {self.source.vendor} device: {said} (status {status})", hint=hint)


@cache
def _open(source: DriverSource) -> Driver:
    library = source.find()
    if library is None:
        raise ToolchainError(f"no {source.software} was found: kernels can be built here, not run", hint=source.hint)
    if status := source.start(library):
        said = source.explain(library, status)
        raise ToolchainError(f"the {source.software} does not start: {said} (status {status})", hint=source.hint)
    driver = Driver(source, library)
    try:
        there = driver.count()
    except DeviceError as error:  # how HIP says that there is none
        raise ToolchainError(error.message, hint=source.hint) from error
    if there == 0:
        raise ToolchainError(f"the {source.software} has no device", hint=source.hint)
    return driver
