"""Shared libraries: from bytes, and by their names."""

from __future__ import annotations

import ctypes
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import suppress

from uol.backends.cache.disk_errors import no_temporary_folder


def open_first(names: Sequence[str]) -> ctypes.CDLL | None:
    """The first of some libraries that this process has loaded already, under whatever path, else the first that is installed;
    None where there is none. A second copy of a driver beside the one that PyTorch brings knows nothing of its memory."""
    return next(loaded_first(names), None)


def loaded_first(names: Sequence[str]) -> Iterator[ctypes.CDLL]:
    """Those that this process has loaded already, then those that are installed."""
    for mode in (os.RTLD_NOLOAD | os.RTLD_LOCAL, os.RTLD_LOCAL):
        for name in names:
            with suppress(OSError):
                yield ctypes.CDLL(name, mode=mode)


def load_bytes(binary: bytes) -> ctypes.CDLL:
    """Loads a library from a file that is gone as soon as it is mapped. Raises ResourceError where there is no room for the
    file, OSError for what is no library."""
    name = ""
    try:
        handle, name = tempfile.mkstemp(prefix="uol-", suffix=".so")
        with os.fdopen(handle, "wb") as file:
            file.write(binary)
    except OSError as error:
        if name:
            os.unlink(name)
        raise no_temporary_folder(error) from error
    try:
        return ctypes.CDLL(name)
    finally:
        os.unlink(name)
