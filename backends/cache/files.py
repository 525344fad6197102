"""Compiled kernels on disk.

    <root>/<first two digits>/<sha256 of the key>        one entry: a header line, then the payload
    <root>/<first two digits>/<sha256 of the key>.<ext>  a file that must lie on disk to be loaded (a shared library)

An entry is written to a temporary file and renamed, so a reader sees a whole entry or none. Its header holds the sha256
of its key, and that of this and the payload: a corrupt or cut entry counts as absent and is written anew, and so does one of
another key, of which a warning tells. Processes that want the same entry wait for one of them (a file lock); where locks do
not work, the last writer wins, with the same content.

The root is $UOL_CACHE_DIR, else $XDG_CACHE_HOME/uol, else ~/.cache/uol. What lies there is loaded into the process. A folder
that another user owns or may write is therefore not used, and nothing can be kept in one that cannot be written, though what
lies there is read: a process that finds one says so once, and keeps what it makes in a private temporary folder that goes
with it.
"""

from __future__ import annotations

import atexit
import errno
import hashlib
import json
import os
import shutil
import stat
import tempfile
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TypeVar

from uol.backends.cache.disk_errors import is_lack_of_room, no_temporary_folder, unwritable
from uol.backends.cache.file_lock import locked
from uol.backends.cache.records import RecordError, Records
from uol.ir.errors import ResourceError
from uol.ir.forking import unforked

_MAGIC = b"uol-cache 2 "
_WRITING = ".writing-"
_ABANDONED_S = 3600.0
"""A temporary file as old as this belongs to a process that was killed."""

VARIABLE = "UOL_CACHE_DIR"
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
_warned: set[tuple[str, str]] = set()
_unwritable: set[Path] = set()
"""The folders in which nothing could be kept."""

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
    """A folder of entries; where it cannot be written, new ones lie in a folder of this process. Raises ResourceError where
    there is no room."""

    root: Path

    def get(self, key: Key) -> bytes | None:
        """The payload of an entry; None when it is absent, cut, corrupt, of another key, or another user's."""
        payload = self._read(key)
        if payload is None and self.root in _unwritable:
            return DiskCache(_private_folder(os.getpid()))._read(key)
        return payload

    def _read(self, key: Key) -> bytes | None:
        try:
            with open(self._entry(key), "rb") as file:
                if os.fstat(file.fileno()).st_uid != os.geteuid():
                    return None
                data = file.read()
        except OSError:
            return None
        header, newline, payload = data.partition(b"\n")
        of, _, _ = header.removeprefix(_MAGIC).partition(b" ")
        if not newline or header != _header(of, payload):
            return None
        if of != key.digest.encode():
            _warn_of_another(self._entry(key))
            return None
        return payload

    def put(self, key: Key, payload: bytes) -> None:
        """Writes an entry whole."""
        self._write(key, "", _header(key.digest.encode(), payload) + b"\n" + payload)

    def get_or_make(self, key: Key, make: Callable[[], bytes]) -> bytes:
        """The payload of an entry, made and written where there is none. One process makes, the others wait for it."""
        payload = self.get(key)
        if payload is not None:
            return payload
        with unforked(), self._lock(key):
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
        return self._write(key, suffix, content)

    def _entry(self, key: Key) -> Path:
        digest = key.digest
        return self.root / digest[:2] / digest

    def _write(self, key: Key, suffix: str, content: bytes) -> Path:
        """The file beside an entry, with this content."""
        path = self._entry(key).with_suffix(suffix)
        try:
            make_folder(path.parent)
            _sweep(path.parent)
            _write_whole(path, content)
        except OSError as error:
            return self._instead(error)._write(key, suffix, content)
        return path

    @contextmanager
    def _lock(self, key: Key) -> Iterator[None]:
        path = self._entry(key).with_suffix(".lock")
        with ExitStack() as held:
            try:
                make_folder(path.parent)
                held.enter_context(locked(path))
            except OSError as error:
                held.enter_context(self._instead(error)._lock(key))
            yield

    def _instead(self, error: OSError) -> DiskCache:
        """The cache folder of this process that takes entries in the place of one that cannot be written."""
        private = private_instead(self.root, error)
        if private == self.root:
            raise unwritable("the cache folder", self.root, error, VARIABLE) from error
        return DiskCache(private)


def _header(digest: bytes, payload: bytes) -> bytes:
    """The first line of the entry of a key with this digest."""
    return _MAGIC + digest + b" " + hashlib.sha256(digest + payload).hexdigest().encode()


def _write_whole(path: Path, content: bytes) -> None:
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=_WRITING)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.replace(temporary, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise


def _sweep(folder: Path) -> None:
    """Takes away what killed processes were writing."""
    for left in folder.glob(f"{_WRITING}*"):
        with suppress(OSError):
            if time.time() - left.stat().st_mtime > _ABANDONED_S:
                left.unlink()


class CacheWarning(UserWarning):
    """The cache folder, or an entry of it, is not used."""


def chosen_folder() -> Path:
    """The folder that the environment names, absolute; `~` stands for the home folder, and a relative `XDG_CACHE_HOME` for
    nothing (so says the XDG Base Directory Specification). Raises ResourceError where there is no home folder."""
    named = os.environ.get(VARIABLE)
    if named:
        return _expanded(named)
    base = os.environ.get("XDG_CACHE_HOME", "")
    if base and Path(expanded := os.path.expanduser(base)).is_absolute():
        return Path(expanded) / "uol"
    return _expanded("~/.cache") / "uol"


def cache_folder() -> Path:
    """The folder to use, with no symbolic link in its path: the chosen one, made if it is absent, or where it may not be
    trusted, or cannot be made, one of this process alone. Raises ResourceError where there is no room for it."""
    chosen = chosen_folder()
    try:
        make_folder(chosen)
        folder = Path(os.path.realpath(chosen))
        reason = distrust(folder)
    except OSError as error:
        return private_instead(chosen, error)
    if reason is None:
        return folder
    _warn_once(
        chosen,
        f"is not used: {reason}. What is compiled is kept for this process alone; set {VARIABLE} to a folder that is yours and "
        "that nobody else may write (mode 700)",
    )
    return _private_folder(os.getpid())


def private_instead(folder: Path, error: OSError) -> Path:
    """The folder of this process alone, in the place of one of which the system has said that nothing can be written there.
    Raises ResourceError where it has said that there is no room."""
    if is_lack_of_room(error):
        raise unwritable("the cache folder", folder, error, VARIABLE) from error
    private = _private_folder(os.getpid())
    if folder != private:
        _unwritable.add(folder)
        said = error.strerror or str(error)
        _warn_once(
            folder,
            f"cannot be written: {said}. What is compiled is kept for this process alone; set {VARIABLE} to a folder that can",
        )
    return private


def _warn_once(folder: Path, what: str) -> None:
    if (str(folder), what) not in _warned:
        _warned.add((str(folder), what))
        warnings.warn(f"the cache folder {str(folder)!r} {what}", CacheWarning, stacklevel=3)


def _warn_of_another(entry: Path) -> None:
    message = f"the cache entry {str(entry)!r} holds what was made for another key: it was moved or copied there"
    warnings.warn(f"{message}. It is not used, and made anew", CacheWarning, stacklevel=4)


def distrust(folder: Path) -> str | None:
    """Why a folder, whose path holds no symbolic link, may hold what others have written; None where it may not.

    The folder is this user's, and only this user may write it. Each folder above belongs to this user, to root, or to whoever
    owns `/` (in a user namespace, root has another number), and is written by none but them, unless it is sticky as `/tmp`
    is: there nobody moves away what is another's. A group of this user alone may write them, too.
    """
    own = os.geteuid()
    found = os.lstat(folder)
    if found.st_uid != own:
        return f"it belongs to another user ({_user(found.st_uid)})"
    if found.st_mode & _OTHERS_WRITE:
        return f"other users may write it (mode {stat.S_IMODE(found.st_mode):o})"
    trusted = {own, 0, os.stat("/").st_uid}
    for above in folder.parents:
        found = os.lstat(above)
        if found.st_uid not in trusted:
            return f"{str(above)!r}, in which it lies, belongs to another user ({_user(found.st_uid)})"
        if found.st_mode & _OTHERS_WRITE and not found.st_mode & stat.S_ISVTX and not _only_own_group(found):
            return f"other users may write {str(above)!r}, in which it lies (mode {stat.S_IMODE(found.st_mode):o})"
    return None


def make_folder(folder: Path) -> None:
    """Makes a folder, and those above it that are absent, for this user alone, whatever the umask. Raises OSError."""
    missing = [part for part in (folder, *folder.parents) if not part.exists()]
    for part in reversed(missing):
        part.mkdir(mode=0o700, exist_ok=True)
    if not folder.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder))


def _only_own_group(found: os.stat_result) -> bool:
    """Is a folder that a group may write that of this user's private group, as Debian and Fedora give one to each user?"""
    import grp
    import pwd

    try:
        user, group = pwd.getpwuid(os.geteuid()), grp.getgrgid(found.st_gid)
    except KeyError:
        return False
    private = group.gr_name == user.pw_name and group.gr_gid == user.pw_gid and set(group.gr_mem) <= {user.pw_name}
    return private and not found.st_mode & stat.S_IWOTH


@cache
def _private_folder(process: int) -> Path:
    """A folder of this process (a fork has its own), gone when it ends."""
    try:
        folder = Path(os.path.realpath(tempfile.mkdtemp(prefix="uol-cache-")))
    except OSError as error:
        raise no_temporary_folder(error) from error

    def remove() -> None:
        if os.getpid() == process:
            shutil.rmtree(folder, ignore_errors=True)

    atexit.register(remove)
    return folder


def _expanded(path: str) -> Path:
    expanded = os.path.expanduser(path)
    if expanded.startswith("~"):
        raise ResourceError(f"there is no home folder for {path!r}", hint=f"set {VARIABLE} to a folder that can be written")
    return Path(os.path.abspath(expanded))


def _user(number: int) -> str:
    import pwd

    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


PACKAGES = ("uol", "uol.ir", "uol.codegen", "uol.backends", "uol.ops", "uol.conformance")
"""They are folders of one another in a wheel, and lie side by side in the repository."""
_NO_SOURCES = frozenset({".md", ".pyc"})
"""What is for people, and what Python makes."""


def package_files(*packages: str) -> Iterator[tuple[str, Path]]:
    """Every source of some of `PACKAGES`, with a name that does not depend on where it lies: `uol/ir/grammar.lark`."""
    for package in packages:
        spec = find_spec(package)
        for root in (spec.submodule_search_locations or ()) if spec else ():
            yield from _files_below(Path(root), package.replace(".", "/"))


def hash_of(files: Iterable[tuple[str, Path]]) -> str:
    """sha256 over files and the names that they go by, in any order."""
    digest = hashlib.sha256()
    for name, file in sorted(files):
        digest.update(f"{name}\0{_content(file)}\n".encode())
    return digest.hexdigest()


@cache
def parser_hash() -> str:
    """sha256 over the sources of the language, and so over what makes a tree of a text."""
    return hash_of(package_files("uol.ir"))


@cache
def _content(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _files_below(folder: Path, name: str) -> Iterator[tuple[str, Path]]:
    for inside in folder.iterdir():
        inner = f"{name}/{inside.name}"
        if inside.is_dir():
            if inside.name != "__pycache__" and inner.replace("/", ".") not in PACKAGES:
                yield from _files_below(inside, inner)
        elif inside.suffix not in _NO_SOURCES:
            yield inner, inside
