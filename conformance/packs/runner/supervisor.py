"""The cases of a pack in processes of their own: what one of them dies of, or hangs in, is a verdict on its case."""

from __future__ import annotations

import json
import signal
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Timer
from typing import IO, Any

from uol.conformance.packs.runner.contents import BadInputError

Progress = Callable[[int, int], None]
"""Called with how many cases are done, and how many of them failed."""


OPENING_S = 300.0
"""What a process may take until it has opened the card: PyTorch and the driver come from a disk."""


@dataclass(slots=True)
class Found:
    """What the processes said: the card and its clocks at the end, the software, and an entry for each case by its number."""

    card: Mapping[str, Any] = field(default_factory=dict)
    software: Mapping[str, str] = field(default_factory=dict)
    clocks: Mapping[str, Any] = field(default_factory=dict)
    entries: dict[int, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def failed(self) -> int:
        return sum(entry["status"] != "passed" for entry in self.entries.values())


def run_all(command: Sequence[str], order: Mapping[str, Any], timeout_s: float, progress: Progress) -> Found:
    """Runs an order's cases, each process as many of them as it lives for. Raises BadInputError where there is no such card; of
    one that is lost on the way, the cases that are left have failed."""
    found = Found()
    pending = list(order["cases"])
    while pending:
        try:
            _run(command, {**order, "cases": pending}, timeout_s, found, progress)
            if not found.entries.keys() & set(pending):
                raise BadInputError("the process that opens the card ended before its first case: look at its driver")
        except BadInputError as error:
            if not found.entries:
                raise
            found.entries |= {number: {"status": "failed", "reason": f"not run: {error}"} for number in pending}
        pending = [number for number in pending if number not in found.entries]
    return found


def _run(command: Sequence[str], order: Mapping[str, Any], timeout_s: float, found: Found, progress: Progress) -> None:
    """One process: until it has done its cases, or dies."""
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=said, text=True)
        assert process.stdin is not None and process.stdout is not None
        watch = _Watch(process, timeout_s)
        watch.start(OPENING_S)
        try:
            process.stdin.write(json.dumps(order))
            process.stdin.close()
            running = _listen(process.stdout, watch, found, progress)
            code = process.wait()
        finally:
            watch.stop()
            process.kill()
            process.stdout.close()
        if running is not None:
            died = f"the process died of it ({_how(code)}){_last(said)}"
            reason = f"it took more than {timeout_s:g} s" if watch.barked else died
            found.entries[running] = {"status": "failed", "reason": reason}
            progress(len(found.entries), found.failed)
        elif code and not found.card:
            raise BadInputError(f"the card cannot be opened ({_how(code)}){_last(said)}: look at its driver")


def _listen(lines: IO[str], watch: _Watch, found: Found, progress: Progress) -> int | None:
    """Takes in what a process says; gives the case that it was in when it ended, if in any."""
    running: int | None = None
    for line in lines:
        watch.start()
        said = json.loads(line)
        if "refused" in said:
            raise BadInputError(said["refused"])
        found.card = found.card or said.get("card", {})
        found.software = found.software or said.get("software", {})
        found.clocks = said.get("clocks", found.clocks)
        if "begin" in said:
            running = said["begin"]
        if "done" in said:
            found.entries[said.pop("done")] = said
            running = None
            progress(len(found.entries), found.failed)
    return running


@dataclass(slots=True)
class _Watch:
    """Ends a process that says nothing for so long."""

    process: subprocess.Popen[str]
    timeout_s: float
    barked: bool = False
    timer: Timer | None = None

    def start(self, seconds: float | None = None) -> None:
        self.stop()
        self.timer = Timer(seconds or self.timeout_s, self._bark)
        self.timer.daemon = True
        self.timer.start()

    def stop(self) -> None:
        if self.timer is not None:
            self.timer.cancel()

    def _bark(self) -> None:
        self.barked = True
        self.process.kill()


def _how(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit status {code}"


def _last(said: IO[bytes]) -> str:
    """The last line of what a process wrote to standard error."""
    said.seek(0)
    lines = said.read().decode(errors="replace").strip().splitlines()
    return f": {lines[-1]}" if lines else ""
