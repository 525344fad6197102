"""Which build of a tool is installed, without running it: what stands in the keys of what the tool has made."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Iterable
from functools import cache

READ_BYTES = 4 << 20
"""A file up to this size is told by its content, which takes a few milliseconds; a larger one by size and times."""
ABSENT = "absent"
_PROGRAM = re.compile(rb"(?<![\w.${}/-])(?:/[\w.+-]+){2,}")
"""A program that a script names by its whole path."""


def identity_of(path: str | None) -> str:
    """Where a file really lies, and what it holds. Two builds of a tool differ in it; the same build has the same identity in
    every process. `absent` where there is no such file.

    A script counts with the programs that it names by their whole paths: an `nvcc` on the path may be one line that runs a
    toolkit's. A file that is too large to be read each time is told by its size, its time of change, and when the system has
    put it there (which no installer can set back, as many do with the time of change).
    """
    if path is None:
        return ABSENT
    real = os.path.realpath(path)
    try:
        found = os.stat(real)
    except OSError:
        return ABSENT
    own = _identity(real, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
    return "; ".join([own, *(identity_of(program) for program in programs_of(real) if program != real)])


def identities_of(paths: Iterable[str]) -> str:
    """The identities of several files in order; those that are absent count, too."""
    return "; ".join(map(identity_of, paths))


def tool(name: str) -> str:
    """The identity of a tool that is found by its name."""
    return identity_of(shutil.which(name))


def programs_of(path: str) -> list[str]:
    """The programs that a script names; none where the file is no script."""
    try:
        with open(path, "rb") as file:
            text = file.read(READ_BYTES) if file.read(2) == b"#!" else b""
    except OSError:
        return []
    named = dict.fromkeys(found.decode() for found in _PROGRAM.findall(text))
    return [name for name in named if os.path.isfile(name) and os.access(name, os.X_OK)]


@cache
def _identity(real: str, size: int, changed_ns: int, placed_ns: int) -> str:
    if size > READ_BYTES:
        return f"{real} {size} {changed_ns} {placed_ns}"
    try:
        with open(real, "rb") as file:
            return f"{real} {hashlib.sha256(file.read()).hexdigest()}"
    except OSError:
        return ABSENT
