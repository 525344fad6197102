"""A lock on a file, which one process at a time holds."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from uol.ir.forking import forks_allowed, in_child

_held: set[int] = set()
"""The descriptors of this process's locks. A forked child inherits them, and a lock with them: it belongs to the open file,
not to the process (flock(2)), and would outlast the parent."""


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """One process at a time is inside; `path` is there meanwhile. A child that is forked meanwhile is not inside: the lock
    ends with the block of the process that took it, whatever its children do."""
    process = os.getpid()
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    _held.add(handle)
    try:
        # Another process may hold it for long, and a file system may have no locks: what is written is written whole anyway.
        with suppress(OSError), forks_allowed():
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        if os.getpid() == process:
            _held.discard(handle)
            with suppress(OSError):
                os.unlink(path)
            with suppress(OSError):
                fcntl.flock(handle, fcntl.LOCK_UN)  # closing alone leaves it to a child that C code has forked
            os.close(handle)


def _close_inherited() -> None:
    for handle in _held:
        with suppress(OSError):
            os.close(handle)  # the parent's lock stays: it ends when the last descriptor is closed, or by LOCK_UN
    _held.clear()


in_child(_close_inherited)
