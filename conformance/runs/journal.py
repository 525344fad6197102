"""The journal of a run: one line of JSON for each case that is finished, appended as it is finished.

    {"uol journal": 1, "sum": "9f86d081884c7d65", "entry": {"of": "conform", "name": "relu f32 ...", ...}}

A process that is killed leaves at most one line that is half written. A line that is cut or damaged (its sum is not that of its
entry) counts as absent, and is counted; of two lines of one name the later one holds. Journals of shards are merged by `cat`.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

from uol.ir.errors import ResourceError, UolError
from uol.whole_file import replacing

MARK = '{"uol journal": 1, "sum": "'
HINT = "give the file that an earlier run with --resume wrote, or one that is not there yet"
_FEW = 1000
"""Lines of which a journal may lose some before it is worth to write it anew."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A finished case.

    of        the command
    name      of the case, among those of the command
    sources   hash of all sources and tools that the result may depend on
    machine   hash of what it depends on of the machine
    judge     hash of what judges the case: comparators, references, what runs the emitted text
    content   hash of what is judged, the case's emitted text and inputs; empty where nobody says
    result    the record of the result
    failed    is it a failure? Then it is shown where journals are merged, and run again where one is gone on with
    """

    of: str
    name: str
    sources: str
    machine: str
    judge: str
    content: str
    result: str
    failed: bool = False

    @property
    def line(self) -> str:
        """The line of a journal, its end included."""
        body = json.dumps(asdict(self))
        return f'{MARK}{_sum(body)}", "entry": {body}}}\n'


def entry_of(line: str) -> Entry | None:
    """The entry of a line; None where it is cut, damaged or something else."""
    try:
        found = json.loads(line)
        entry = Entry(**found["entry"])
        return entry if found["sum"] == _sum(json.dumps(asdict(entry))) and line.startswith(MARK) else None
    except (ValueError, TypeError, KeyError, RecursionError):
        return None


def _sum(body: str) -> str:
    return hashlib.sha256(body.encode()).hexdigest()[:16]


@dataclass(slots=True)
class Journal:
    """A journal that is open for one process. `damaged` lines were found in it."""

    path: Path
    damaged: int
    _entries: dict[tuple[str, str], Entry]
    _file: IO[bytes]

    @staticmethod
    def open(path: Path) -> Journal:
        """The journal in a file, which is made where there is none. Raises ResourceError where it cannot be read or written, or
        another process has it open, UolError where the file is something else."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            file = _locked(path)
            entries, damaged, is_long = _read(path)
            if is_long:
                file.close()
                with replacing(path) as fresh:
                    fresh.writelines(entry.line.encode() for entry in entries.values())
                file = _locked(path)
        except OSError as error:
            raise ResourceError(f"cannot keep a journal in {str(path)!r}: {error.strerror or error}", hint=HINT) from error
        return Journal(path, damaged, entries, file)

    def get(self, of: str, name: str) -> Entry | None:
        """The last entry of a case."""
        return self._entries.get((of, name))

    def append(self, entry: Entry) -> None:
        """Writes an entry, whole before the next one begins. Raises ResourceError where there is no room."""
        try:
            self._file.write(entry.line.encode())
        except OSError as error:
            message = f"cannot write {str(self.path)!r}: {error.strerror or error}"
            raise ResourceError(message, hint="make room there") from error
        self._entries[entry.of, entry.name] = entry

    def close(self) -> None:
        """Lets other processes have it."""
        self._file.close()


def _locked(path: Path) -> IO[bytes]:
    """The file for appending, after a line that was cut; this process's alone, where the file system has locks."""
    file = path.open("ab", buffering=0)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        file.close()
        hint = "wait for it, or give this run a file of its own"
        raise ResourceError(f"another run is writing the journal {str(path)!r}", hint=hint) from error
    except OSError:  # a file system without locks
        pass
    return file


def _read(path: Path) -> tuple[dict[tuple[str, str], Entry], int, bool]:
    """The entries, how many lines are damaged, and whether most lines are of no use any more. Ends a line that was cut."""
    text = path.read_text(encoding="utf-8", errors="replace")
    lines = text.splitlines()
    found = read_entries(lines)
    if lines and not found and not MARK.startswith(text[: len(MARK)]):
        raise UolError(f"{str(path)!r} is no journal of a run", hint=HINT)
    if text and not text.endswith("\n"):
        with open(path, "ab") as file:
            file.write(b"\n")
    entries = {(entry.of, entry.name): entry for entry in found}
    return entries, len(lines) - len(found), len(lines) > _FEW + 2 * len(entries)


def read_entries(lines: Iterable[str]) -> list[Entry]:
    """The entries of some lines, in order; what is none is left out."""
    return [entry for line in lines if (entry := entry_of(line)) is not None]


def entries_of(path: Path) -> dict[tuple[str, str], Entry]:
    """The entries of a journal that is read alone. Raises as `Journal.open` does."""
    try:
        found = read_entries(path.read_text(encoding="utf-8", errors="replace").splitlines())
    except OSError as error:
        raise ResourceError(f"cannot read {str(path)!r}: {error.strerror or error}", hint=HINT) from error
    if not found:
        raise UolError(f"{str(path)!r} is no journal of a run", hint=HINT)
    return {(entry.of, entry.name): entry for entry in found}
