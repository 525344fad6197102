"""Shared libraries from bytes."""

from __future__ import annotations

import ctypes
import os
import tempfile

from uol.backends.cache.disk_errors import no_temporary_folder


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
