"""Folders for the files of a run, in memory where there is room. They go when the run ends; those of a run that was killed go
with the next run of the same user."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from uol.ir.errors import ResourceError

MEMORY = "/dev/shm"
"""A folder that is in memory, where the system has one."""
PREFIX = "uol-twin-"
LOCK = "lock"
"""A file that its run holds locked: the system unlocks it when the run's process ends, however it ends."""
NOT_LOCKED_S = 60.0
"""A folder as old as this without a lock file belongs to a run that was killed between making the one and the other."""
UNFINISHED_S = 3600.0
"""An entry of the cache that has been unfinished for so long belongs to a process that was killed."""
HINT = "set TMPDIR to a folder with more room, or remove files from it"


@contextmanager
def run_folder(needed_bytes: int) -> Iterator[Path]:
    """An empty folder for as long as the context lasts. Raises ResourceError where none can be made."""
    folder, lock = _make(MEMORY if in_memory(needed_bytes) else None)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def in_memory(needed_bytes: int) -> bool:
    """Do files of so many bytes go to memory? Only where there is ample room."""
    try:
        return shutil.disk_usage(MEMORY).free > 4 * needed_bytes + 2**24
    except OSError:
        return False


def sweep() -> None:
    """Removes the folders that killed runs of this user have left."""
    for place in {MEMORY, _usual_place() or MEMORY}:
        with suppress(OSError):
            for entry in [e for e in os.scandir(place) if e.name.startswith(PREFIX)]:
                with suppress(OSError):
                    _remove_if_abandoned(entry)


def sweep_unfinished(cache: Path) -> None:
    """Removes from the cache what processes that were killed have not finished (`publish` and `remember` of cache.py)."""
    for path in cache.glob("*/new-*"):
        with suppress(OSError):
            if time.time() - path.stat().st_mtime > UNFINISHED_S:
                shutil.rmtree(path) if path.is_dir() else path.unlink()


def _make(place: str | None) -> tuple[Path, int]:
    """A folder, and the descriptor of its lock."""
    try:
        while True:
            folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=place))
            lock = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
            with suppress(BlockingIOError):
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if os.fstat(lock).st_nlink:  # else another run's sweep was faster
                    return folder, lock
            os.close(lock)
    except OSError as error:
        if place is not None:
            return _make(None)
        where = _usual_place() or os.environ.get("TMPDIR") or "/tmp"
        raise ResourceError(f"the twin cannot make a folder in {where}: {error.strerror}", hint=HINT) from error


def _usual_place() -> str | None:
    """The system's folder for temporary files; None where no such folder can be written."""
    try:
        return tempfile.gettempdir()
    except OSError:
        return None


def _remove_if_abandoned(entry: os.DirEntry[str]) -> None:
    """Removes a folder of the same user whose lock no run holds."""
    status = entry.stat(follow_symlinks=False)
    if status.st_uid != os.getuid() or not entry.is_dir(follow_symlinks=False):
        return
    try:
        lock = os.open(os.path.join(entry.path, LOCK), os.O_RDWR)
    except FileNotFoundError:
        if time.time() - status.st_mtime > NOT_LOCKED_S:
            shutil.rmtree(entry.path, ignore_errors=True)
        return
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.unlink(os.path.join(entry.path, LOCK))  # while it is held: a run that has just made it sees that it is gone
    finally:
        os.close(lock)
    shutil.rmtree(entry.path, ignore_errors=True)
