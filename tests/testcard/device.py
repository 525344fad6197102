"""PyTorch's device type "testcard": two cards of host memory, with streams and an allocator as accelerators have them.

What PyTorch computes there, the CPU computes. New memory is full of NaN. What was freed is handed out again on its own stream
alone. Freed and allocated memory, copies to the host and waits are counted; how much a card holds can be set.

PyTorch counts the devices at a process's first backward, and takes one device type of a program's: `register` comes first.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch

NAME = "testcard"
CARDS = 2
SOURCE = Path(__file__).with_name("testcard.cpp")
TORCH = Path(torch.__file__).parent
LIMIT = (1 << 63) - 1
GRAIN = 512
"""Bytes that an allocation takes at least, as testcard.cpp has it."""


@dataclass(frozen=True, slots=True)
class Counts:
    """Of one card, since the process began.

    allocations     times that PyTorch's allocator was asked for memory
    bytes_in_use    now
    copies_to_host  each of which waits for the card
    waits           for a stream, an event or the card, and for a copy to it that the caller waits for
    emulated        operators of PyTorch's that the CPU computed
    """

    allocations: int
    bytes_in_use: int
    copies_to_host: int
    waits: int
    emulated: int


class _Module:
    """What `torch.testcard` is: PyTorch asks for these."""

    @staticmethod
    def is_available() -> bool:
        return True

    @staticmethod
    def is_initialized() -> bool:
        return True

    @staticmethod
    def _is_in_bad_fork() -> bool:
        return False

    @staticmethod
    def manual_seed_all(seed: int) -> None:
        """The CPU draws."""

    @staticmethod
    def get_rng_state(card: object = None) -> torch.Tensor:
        return torch.get_rng_state()

    @staticmethod
    def set_rng_state(state: torch.Tensor, card: object = None) -> None:
        torch.set_rng_state(state)

    @staticmethod
    def device_count() -> int:
        return CARDS

    @staticmethod
    def current_device() -> int:
        return current_card()

    @staticmethod
    def get_amp_supported_dtype() -> list[torch.dtype]:
        return [torch.float16, torch.bfloat16]


@cache
def register() -> None:
    """Makes the device type known to this process."""
    torch.utils.rename_privateuse1_backend(NAME)
    _library().testcard_register()
    torch._register_device_module(NAME, _Module)


def counts(card: int = 0) -> Counts:
    five = (ctypes.c_int64 * 5)()
    _library().testcard_counts(card, five)
    return Counts(*five)


OnCopy = ctypes.CFUNCTYPE(None, ctypes.c_int64)
"""Is told the place of a copy within the card, which `copy_again` takes."""


def begin_capture(card: int, on_copy: Callable[[int], None]) -> int:
    """From here on a card's memory comes from a pool of its own, whose number is given; waiting for the card, copies from and
    to it and what the CPU computes in its place are errors. The callback has to live until `end_capture`."""
    return int(_library().testcard_capture(card, on_copy))


def copy_again(place: int) -> None:
    _library().testcard_copy(ctypes.c_int64(place))


def end_capture(card: int) -> None:
    _library().testcard_end_capture(card)


def forget(pool: int) -> None:
    """Fills the memory of a capture with NaN."""
    _library().testcard_forget(ctypes.c_int64(pool))


def current_card() -> int:
    return int(_library().testcard_current())


def stream_function() -> Callable[[int], int]:
    """From a card to the handle of PyTorch's current stream there; 0 for the default one."""
    function: Callable[[int], int] = _library().testcard_stream
    return function


def current_stream(card: int) -> int:
    return stream_function()(card)


@contextmanager
def only(room: int, card: int = 0) -> Iterator[None]:
    """Within, a card has so many bytes more than are in use."""
    _library().testcard_limit(card, ctypes.c_int64(counts(card).bytes_in_use + room))
    try:
        yield
    finally:
        _library().testcard_limit(card, ctypes.c_int64(LIMIT))


@cache
def _library() -> ctypes.CDLL:
    library = ctypes.CDLL(str(_built()))
    library.testcard_stream.restype = library.testcard_capture.restype = ctypes.c_int64
    return library


def _built() -> Path:
    """The library, built where its source, PyTorch or the options are others: ten seconds of a core."""
    folders = [f"-I{TORCH}/include", f"-L{TORCH}/lib", f"-Wl,-rpath,{TORCH}/lib"]
    options = ["-std=c++20", "-O1", "-w", "-fPIC", "-shared", *folders, "-ltorch_cpu", "-lc10"]
    key = hashlib.sha256(SOURCE.read_bytes() + f"{torch.__version__} {options}".encode()).hexdigest()[:16]
    folder = os.environ.get("UOL_CACHE_DIR") or SOURCE.parents[2] / "build" / "test-cache"
    library = Path(folder) / f"{NAME}-{key}.so"
    if not library.exists():
        library.parent.mkdir(parents=True, exist_ok=True)
        whole = library.with_suffix(f".{os.getpid()}")
        subprocess.run(["g++", str(SOURCE), "-o", str(whole), *options], check=True)
        whole.rename(library)
    return library
