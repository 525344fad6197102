"""Compiled kernels on disk.

    <root>/<first two digits>/<sha256 of the key>        one entry: a header line, then the payload
    <root>/<first two digits>/<sha256 of the key>.<ext>  a file that must lie on disk to be loaded (a shared library)

An entry is written to a temporary file and renamed, so a reader sees a whole entry or none. Its header holds the sha256
of the payload: a corrupt or cut entry counts as absent and is written anew. Processes that want the same entry wait for
one of them (a file lock); where locks do not work, the last writer wins, with the same content.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from uol.backends.cache.disk_errors import unwritable
from uol.backends.cache.folder import VARIABLE, cache_folder, make_folder
from uol.backends.cache.records import RecordError, Records
from uol.ir.errors import ResourceError

_MAGIC = b"uol-cache 1 "
_WRITING = ".writing-"
_ABANDONED_S = 3600.0
"""A temporary file as old as this belongs to a process that was killed."""


Kept = TypeVar("Kept")


@dataclass(frozen=True, slots=True)
class Key:
    """Everything that an entry depends on, by name. Equal parts give equal digests, in every process."""

    parts: Mapping[str, object]

    @property
    def digest(self) -> str:
        canonical = json.dumps(self.parts, sort_keys=True, separators=(",", ":"), default=str)
        return hashlib.sha256(canonical.encode()).hexdigest()


def open_cache() -> DiskCache:
    """The cache of this user, or of this process alone where the folder may not be trusted."""
    return DiskCache(cache_folder())


@dataclass(frozen=True, slots=True)
class DiskCache:
    """A folder of entries. Raises ResourceError where the folder cannot be written."""

    root: Path

    def get(self, key: Key) -> bytes | None:
        """The payload of an entry; None when it is absent, cut, corrupt, or another user's."""
        try:
            with open(self._entry(key), "rb") as file:
                if os.fstat(file.fileno()).st_uid != os.geteuid():
                    return None
                data = file.read()
        except OSError:
            return None
        header, newline, payload = data.partition(b"\n")
        intact = bool(newline) and header == _MAGIC + hashlib.sha256(payload).hexdigest().encode()
        return payload if intact else None

    def put(self, key: Key, payload: bytes) -> None:
        """Writes an entry whole."""
        header = _MAGIC + hashlib.sha256(payload).hexdigest().encode() + b"\n"
        self._write(self._entry(key), header + payload)

    def get_or_make(self, key: Key, make: Callable[[], bytes]) -> bytes:
        """The payload of an entry, made and written where there is none. One process makes, the others wait for it."""
        payload = self.get(key)
        if payload is not None:
            return payload
        with self._lock(key):
            payload = self.get(key)
            if payload is None:
                payload = make()
                self.put(key, payload)
        return payload

    def record(self, key: Key, records: Records[Kept], make: Callable[[], Kept]) -> Kept:
        """As `get_or_make`, for a value that is kept as a record. An entry that holds no such record counts as absent."""
        payload = self.get_or_make(key, lambda: records.encode(make()))
        try:
            return records.decode(payload)
        except RecordError:
            value = make()
            self.put(key, records.encode(value))
            return value

    def materialise(self, key: Key, suffix: str, content: bytes) -> Path:
        """A file beside the entry with exactly this content, for what can only be loaded from disk."""
        path = self._entry(key).with_suffix(suffix)
        with suppress(OSError):
            if path.read_bytes() == content:
                return path
        self._write(path, content)
        return path

    def _entry(self, key: Key) -> Path:
        digest = key.digest
        return self.root / digest[:2] / digest

    def _write(self, path: Path, content: bytes) -> None:
        try:
            make_folder(path.parent)
            _sweep(path.parent)
            handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=_WRITING)
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(content)
                os.replace(temporary, path)
            except BaseException:
                with suppress(OSError):
                    os.unlink(temporary)
                raise
        except OSError as error:
            raise self._unusable(error) from error

    @contextmanager
    def _lock(self, key: Key) -> Iterator[None]:
        path = self._entry(key).with_suffix(".lock")
        try:
            make_folder(path.parent)
            handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise self._unusable(error) from error
        try:
            with suppress(OSError):  # a file system without locks: writes are atomic anyway
                fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            with suppress(OSError):
                os.unlink(path)
            os.close(handle)

    def _unusable(self, error: OSError) -> ResourceError:
        return unwritable("the cache folder", self.root, error, VARIABLE)


def _sweep(folder: Path) -> None:
    """Takes away what killed processes were writing."""
    for left in folder.glob(f"{_WRITING}*"):
        with suppress(OSError):
            if time.time() - left.stat().st_mtime > _ABANDONED_S:
                left.unlink()
