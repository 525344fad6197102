"""A card through a driver library, by ctypes: what CUDA and HIP share. It travels with packs (`uol.backends.loading.card`).

Not run on hardware so far: it is tested against a driver that plays results back.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from uol.backends.loading.card import CardError, Kind, NoCardError

if TYPE_CHECKING:
    from uol.backends.loading.card import Array

VALUES: dict[str, Callable[[float], ctypes.c_void_p | ctypes.c_double | ctypes.c_float | ctypes.c_longlong]] = {
    "pointer": lambda value: ctypes.c_void_p(int(value)),
    "f64": lambda value: ctypes.c_double(float(value)),  # which JSON may hold as "inf"
    "f32": lambda value: ctypes.c_float(float(value)),
    "i64": lambda value: ctypes.c_longlong(int(value)),
}


@dataclass(frozen=True, slots=True)
class Calls:
    """The vendor's names; each call returns a status, 0 for success. `allow_shared` is empty where no call is needed."""

    load: str
    unload: str
    function: str
    allow_shared: str
    launch: str
    allocate: str
    free: str
    write: str
    read: str
    fill: str
    stream: str
    synchronise: str
    event: str
    record: str
    elapsed: str


def opened(names: Sequence[str], software: str) -> ctypes.CDLL:
    """The first driver library that this process has loaded, else the first that is installed. Raises NoCardError, with what to
    install."""
    for mode in (os.RTLD_NOLOAD | os.RTLD_LOCAL, os.RTLD_LOCAL):
        for name in names:
            try:
                return ctypes.CDLL(name, mode=mode)
            except OSError:
                continue
    looked = ", ".join(names)
    raise NoCardError(f"no {software} was found ({looked}): install it, or run the pack on a machine that has the card")


@dataclass(slots=True)
class DriverCard:
    """A device that is current for this process.

    explain     names a status
    kinds       which binaries of an architecture it takes
    asked_clocks        asks the vendor's tool
    dynamic_attribute   the number of the attribute that allows a kernel more shared memory
    """

    library: ctypes.CDLL
    calls: Calls
    explain: Callable[[int], str]
    kinds: Callable[[str], Kind]
    asked_clocks: Callable[[], Mapping[str, object]]
    facts: Mapping[str, object]
    cache_bytes: int
    torch_device: str
    dynamic_attribute: int = 0
    stream: ctypes.c_void_p = field(default_factory=ctypes.c_void_p)
    modules: list[ctypes.c_void_p] = field(default_factory=list)

    def __post_init__(self) -> None:
        # Not one of those that ignore the null stream: copies of pageable memory go through that, and must come first.
        self._call(self.calls.stream, ctypes.byref(self.stream), ctypes.c_uint(0))

    def kind_for(self, architecture: str) -> Kind:
        return self.kinds(architecture)

    def clocks(self) -> Mapping[str, object]:
        return self.asked_clocks()

    def functions(self, binary: bytes, symbols: Sequence[str], shared_bytes: Mapping[str, int]) -> Mapping[str, object]:
        module = ctypes.c_void_p()
        self._call(self.calls.load, ctypes.byref(module), ctypes.c_char_p(binary))
        self.modules.append(module)
        found: dict[str, object] = {}
        for symbol in symbols:
            function = ctypes.c_void_p()
            self._call(self.calls.function, ctypes.byref(function), module, symbol.encode())
            if self.calls.allow_shared and shared_bytes.get(symbol):
                size = ctypes.c_int(shared_bytes[symbol])
                self._call(self.calls.allow_shared, function, ctypes.c_int(self.dynamic_attribute), size)
            found[symbol] = function
        return found

    def unload(self) -> None:
        while self.modules:
            self._call(self.calls.unload, self.modules.pop())

    def allocate(self, size_bytes: int) -> int:
        address = ctypes.c_void_p()
        self._call(self.calls.allocate, ctypes.byref(address), ctypes.c_size_t(max(size_bytes, 1)))
        return address.value or 0

    def free(self, address: int) -> None:
        self._call(self.calls.free, ctypes.c_void_p(address))

    def fill(self, address: int, byte: int, size_bytes: int) -> None:
        if size_bytes:
            size = ctypes.c_size_t(size_bytes)
            self._call(self.calls.fill, ctypes.c_void_p(address), ctypes.c_int(byte), size, self.stream)

    def write(self, address: int, array: Array) -> None:
        if array.nbytes:
            host = ctypes.c_void_p(array.ctypes.data)
            self._call(self.calls.write, ctypes.c_void_p(address), host, ctypes.c_size_t(array.nbytes))

    def read(self, address: int, array: Array) -> None:
        if array.nbytes:
            host = ctypes.c_void_p(array.ctypes.data)
            self._call(self.calls.read, host, ctypes.c_void_p(address), ctypes.c_size_t(array.nbytes))

    def launch(
        self,
        function: object,
        grid: Sequence[int],
        block: Sequence[int],
        shared_bytes: int,
        values: Sequence[tuple[str, float | int]],
    ) -> None:
        arguments = [VALUES[kind](value) for kind, value in values]
        addresses = (ctypes.c_void_p * len(arguments))(*map(ctypes.addressof, arguments))
        shape = map(ctypes.c_uint, (*grid, *block, shared_bytes))
        self._call(self.calls.launch, function, *shape, self.stream, addresses, None)

    def event(self) -> object:
        event = ctypes.c_void_p()
        self._call(self.calls.event, ctypes.byref(event), ctypes.c_uint(0))
        return event

    def record(self, event: object) -> None:
        self._call(self.calls.record, event, self.stream)

    def elapsed_us(self, first: object, last: object) -> float:
        found = ctypes.c_float()
        self._call(self.calls.elapsed, ctypes.byref(found), first, last)
        return found.value * 1e3

    def synchronise(self) -> None:
        self._call(self.calls.synchronise, self.stream)

    def _call(self, name: str, *arguments: object) -> None:
        status: int = getattr(self.library, name)(*arguments)
        if status != 0:
            raise CardError(f"{name} failed: {self.explain(status)} (status {status})")
