"""What the system says of folders that cannot be written, in words that say what to do."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from uol.ir.errors import ResourceError, UolError

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
_TEMPORARY = "the temporary folder"
_FULL_BYTES = 1 << 16
"""A disk with less is full: a compiler writes more than this before it fails."""


def unwritable(what: str, folder: str | os.PathLike[str], error: OSError, variable: str) -> ResourceError:
    """The error for a folder that cannot be written. `what` it is ("the cache folder"), and the environment variable that
    names it."""
    place = os.fspath(folder)
    if is_lack_of_room(error):
        return no_room(what, place, variable, error.strerror or str(error))
    return ResourceError(
        f"{what} {place!r} cannot be written: {error.strerror or error}",
        hint=f"set {variable} to a folder that can be written",
    )


def is_lack_of_room(error: OSError) -> bool:
    """Has the system said that a disk, or a user's share of it, is full?"""
    return error.errno in _NO_ROOM


def no_room(what: str, folder: str, variable: str, said: str) -> ResourceError:
    """The error for a folder whose disk, or whose user's share of it, is full."""
    return ResourceError(
        f"there is no room in {what} {folder!r}: {said}",
        hint=f"make room there, or set {variable} to a folder on a disk with more",
    )


@contextmanager
def build_folder() -> Iterator[Path]:
    """A temporary folder for one build. Raises ResourceError, in place of what the system or a tool says, where there is no
    room in it, or where it cannot be made."""
    try:
        made = tempfile.TemporaryDirectory(prefix="uol-", ignore_cleanup_errors=True)
    except OSError as error:
        raise no_temporary_folder(error) from error
    with made as folder:
        try:
            yield Path(folder)
        except OSError as error:
            if not is_lack_of_room(error):
                raise
            raise no_temporary_folder(error) from error
        except UolError as error:
            if not is_full(folder, str(error)):
                raise
            raise no_room(_TEMPORARY, _full_one(), "TMPDIR", os.strerror(errno.ENOSPC)) from error


def no_temporary_folder(error: OSError) -> ResourceError:
    """The error for what the system says of the folder that `tempfile` takes, or of all that it could take."""
    return unwritable(_TEMPORARY, tempfile.tempdir or os.environ.get("TMPDIR") or "/tmp", error, "TMPDIR")


def _full_one() -> str:
    """The temporary folder that a tool has found full: where this one's is taken from, or what the environment names (Python
    takes another one where nothing can be written, tools do not)."""
    own = tempfile.gettempdir()
    named = os.environ.get("TMPDIR", own)
    return named if is_full(named) and not is_full(own) else own


def is_full(folder: str | os.PathLike[str], said: str = "") -> bool:
    """Has a tool failed, with these words, because the disk that holds a folder is full?"""
    if any(os.strerror(number) in said for number in _NO_ROOM):
        return True
    try:
        return shutil.disk_usage(folder).free < _FULL_BYTES
    except OSError:
        return False
