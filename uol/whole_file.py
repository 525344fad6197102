"""Files that are written whole or not at all."""

from __future__ import annotations

import fcntl
import glob
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """A file that takes the place of `path`, and its mode, when the block ends; where the block raises, what was there stays.
    What processes that were killed left of the same file is taken away first. Raises OSError where it cannot be written.

        with replacing(Path("report.json")) as file:
            file.write(b"{}")
    """
    remove_unfinished(path)
    handle, name = tempfile.mkstemp(prefix=_prefix(path), dir=path.parent)
    try:
        with suppress(OSError):  # a file system without locks
            fcntl.flock(handle, fcntl.LOCK_EX)
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, path.stat().st_mode & 0o777 if path.exists() else 0o644)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def remove_unfinished(path: Path) -> None:
    """Takes away what was being written in the place of `path` by processes that were killed: the system unlocks a file when
    its process ends."""
    for left in path.parent.glob(f"{glob.escape(_prefix(path))}*"):
        with suppress(OSError), open(left, "rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            left.unlink()


def _prefix(path: Path) -> str:
    return f".{path.name}-"
