"""What a run takes over from a journal, and what it puts into it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from uol.backends.cache.records import RecordError, Records
from uol.conformance.runs.journal import Entry, Journal

R = TypeVar("R")


@dataclass(slots=True)
class Resumed(Generic[R]):
    """The results of one command, by case. Without a journal nothing is known, and nothing is kept.

    of        the command
    kept      how its results are kept
    sources   hash of all that a result may depend on, but for the machine
    judge     hash of what judges
    """

    of: str
    kept: Records[R]
    journal: Journal | None = None
    sources: str = ""
    judge: str = ""
    taken: int = 0
    ran: int = 0

    def known(self, name: str, machine: str) -> R | None:
        """The result of a case where nothing has changed that it may depend on."""
        entry = self._entry(name)
        if entry is None or (entry.sources, entry.machine) != (self.sources, machine):
            return None
        return self._result(entry)

    def content(self, name: str) -> str:
        """The hash of what was judged when the result of a case was found, if the judge is the same; else empty."""
        entry = self._entry(name)
        return entry.content if entry is not None and entry.judge == self.judge and self._result(entry) is not None else ""

    def same(self, name: str, machine: str) -> R:
        """The result of a case whose content is what it was: from now on it is known by today's sources."""
        entry = self._entry(name)
        result = None if entry is None else self._result(entry)
        assert entry is not None and result is not None and self.journal is not None
        self.journal.append(Entry(self.of, name, self.sources, machine, self.judge, entry.content, entry.result))
        return result

    def put(self, name: str, machine: str, content: str, result: R, failed: bool = False) -> None:
        """Keeps what was found."""
        if self.journal is not None:
            record = self.kept.encode(result).decode()
            self.journal.append(Entry(self.of, name, self.sources, machine, self.judge, content, record, failed))

    @property
    def said(self) -> str:
        """`"6 cases taken over from run.jsonl, 2 run"`; empty without a journal."""
        if self.journal is None:
            return ""
        damaged = f"; {_lines(self.journal.damaged)} of it damaged and left out" if self.journal.damaged else ""
        return f"{self.taken:,} cases taken over from {self.journal.path}, {self.ran:,} run{damaged}"

    def close(self) -> None:
        """Ends the use of the journal."""
        if self.journal is not None:
            self.journal.close()

    def _entry(self, name: str) -> Entry | None:
        entry = None if self.journal is None else self.journal.get(self.of, name)
        return None if entry is None or entry.failed else entry

    def _result(self, entry: Entry) -> R | None:
        try:
            return self.kept.decode(entry.result.encode())
        except RecordError:  # of another version of its type
            return None


def journal_of(path: Path | None) -> Journal | None:
    """The journal in a file, if one is named. Raises as `Journal.open` does."""
    return None if path is None else Journal.open(path)


def _lines(number: int) -> str:
    return "1 line" if number == 1 else f"{number} lines"
