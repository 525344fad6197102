"""The folder of built twins: `twin` in the cache folder (`backends/cache/folder.py`).

    exe/<id>/twin         an executable of several modules, beside their texts
    index/<key>           JSON: the executable's id and the module's slot in it
    objects/<key>/*.o     a kind's runtime

Each folder holds the hashes of its files, in `sums`: what was damaged since is made anew. Entries appear by one rename each, so
that processes cannot see half of one, and the first of two equal ones stays.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from uol.backends.cache.file_lock import locked
from uol.backends.cache.files import cache_folder as shared_folder
from uol.backends.cache.files import make_folder, private_instead

MAX_EXECUTABLES = 2000
"""Beyond these the oldest quarter goes."""
SUMS = "sums"


@dataclass(frozen=True, slots=True)
class Built:
    """A module in an executable. `text` is the path of its text as the debug information has it."""

    executable: Path
    slot: int
    text: str


def cache_folder() -> Path:
    """The twin's folder, made if absent; one of this process alone where it cannot be written. Raises ResourceError where there
    is no room for it."""
    shared = shared_folder()
    try:
        return _made(shared / "twin")
    except OSError as error:
        return _made(private_instead(shared, error) / "twin")


def _made(folder: Path) -> Path:
    for part in ("exe", "index", "objects"):
        make_folder(folder / part)
        if not os.access(folder / part, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    return folder


def publish(place: Path, fill: Callable[[Path], None]) -> Path:
    """Fill a fresh folder and rename it to `place`, unless one is there that holds what it held when it was made. One process
    fills, the others wait for it; when another was first all the same, its folder stays."""
    if intact(place):
        return place
    with locked(place.with_suffix(".lock")):
        return place if intact(place) else _publish(place, fill)


def _publish(place: Path, fill: Callable[[Path], None]) -> Path:
    drop(place)
    fresh = Path(tempfile.mkdtemp(prefix="new-", dir=place.parent))
    try:
        fill(fresh)
        seal(fresh, place.name)
        try:
            fresh.rename(place)
        except OSError:
            if not place.is_dir():
                raise
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return place


def find(key: str) -> Built | None:
    """The executable that holds a module, if one is there, and undamaged."""
    folder = cache_folder()
    try:
        entry = json.loads((folder / "index" / key).read_text())
        built = Built(folder / "exe" / entry["exe"] / "twin", int(entry["slot"]), str(entry["text"]))
        whole = entry["sum"] == _sum(key, built) and built.executable.is_file()
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return built if whole and intact(built.executable.parent) else None


def remember(key: str, built: Built) -> None:
    """Enter a module in the index."""
    index = cache_folder() / "index"
    entry = {"exe": built.executable.parent.name, "slot": built.slot, "text": built.text, "sum": _sum(key, built)}
    with tempfile.NamedTemporaryFile("w", dir=index, prefix="new-", delete=False) as file:
        json.dump(entry, file)
    os.replace(file.name, index / key)


def forget(key: str, built: Built) -> None:
    """Drop a module whose executable does not run (a damaged file), and the executable."""
    (cache_folder() / "index" / key).unlink(missing_ok=True)
    drop(built.executable.parent)


def seal(folder: Path, name: str) -> None:
    """Records what the folder's files hold, for `intact`, and the name that it is to have."""
    (folder / SUMS).write_text(json.dumps({"": name} | _sums(folder)))


def intact(folder: Path) -> bool:
    """Has a sealed folder its own name, and do its files hold what they held then?"""
    try:
        return bool(json.loads((folder / SUMS).read_text()) == {"": folder.name} | _sums(folder))
    except (OSError, ValueError):
        return False


def drop(folder: Path) -> None:
    """Takes a folder away; another process may be doing the same."""
    shutil.rmtree(folder, ignore_errors=True)


def _sums(folder: Path) -> dict[str, str]:
    files = sorted(p for p in folder.rglob("*") if p.is_file() and p.name != SUMS)
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def _sum(key: str, built: Built) -> str:
    """Of what the index says of a module, for an entry may be damaged, too, or be another module's."""
    said = f"{key} {built.executable.parent.name} {built.slot} {built.text}"
    return hashlib.sha256(said.encode()).hexdigest()[:16]


def prune() -> None:
    """Keep the folder from growing without end: drop the oldest executables, and index entries that lost theirs."""
    folder = cache_folder()
    entries = [(age, Path(e.path)) for e in os.scandir(folder / "exe") if (age := _age(e)) is not None]
    if len(entries) <= MAX_EXECUTABLES:
        return
    for _, path in sorted(entries)[: len(entries) // 4]:
        shutil.rmtree(path, ignore_errors=True)
    for entry in os.scandir(folder / "index"):
        if find(entry.name) is None:
            Path(entry.path).unlink(missing_ok=True)


def _age(entry: os.DirEntry[str]) -> float | None:
    """When an executable was made; None for one that another process is still making, or has just moved or dropped."""
    try:
        return None if entry.name.startswith("new-") else entry.stat().st_mtime
    except FileNotFoundError:
        return None
