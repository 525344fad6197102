"""What commands print: text for people on a terminal, JSON for programs, progress on standard error."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from uol.json_text import json_text

Item = TypeVar("Item")

LINE_EVERY_S = 5.0
"""Seconds between two lines of progress where there is no terminal."""


def print_text(text: str) -> None:
    """As it is: no markup, no wrapping."""
    sys.stdout.write(text if text.endswith("\n") else text + "\n")


def print_json(value: object) -> None:
    print_text(json_text(value))


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Columns in line with their names, for people and for `cut`."""
    lines = [tuple(columns), *(tuple(row) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        print_text("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def track(items: Sequence[Item], what: str) -> Iterator[Item]:
    """The items, with a progress bar on standard error where that is a terminal."""
    with _progress() as progress:
        yield from progress.track(items, description=what)


@contextmanager
def counted(what: str, total: int) -> Iterator[Callable[[int, int, str], None]]:
    """A progress bar for work that reports how many steps are done, of how many, and what is to be said of them; without a
    terminal a line now and then, and one at the end."""
    with _progress() as progress:
        task = progress.add_task(what, total=total)
        said = time.monotonic()

        def report(done: int, of: int, note: str) -> None:
            nonlocal said
            progress.update(task, completed=done, total=of, description=f"{what}: {note}" if note else what)
            if progress.disable and (done == of or time.monotonic() - said >= LINE_EVERY_S):
                said = time.monotonic()
                print(f"{what}: {done:,} of {of:,}{', ' if note else ''}{note}", file=sys.stderr, flush=True)

        yield report


@contextmanager
def staged() -> Iterator[Callable[[str, int, int], None]]:
    """A progress bar for each stage of work that names what it is doing; a line a stage where there is no terminal."""
    with _progress() as progress:
        tasks: dict[str, TaskID] = {}

        def report(what: str, done: int, of: int) -> None:
            if what not in tasks:
                tasks[what] = progress.add_task(what, total=of)
                if progress.disable:
                    print(f"{what} ...", file=sys.stderr, flush=True)
            progress.update(tasks[what], completed=done, total=of)

        yield report


@contextmanager
def working(what: str) -> Iterator[None]:
    """A spinner on standard error while something runs whose length is not known."""
    with _progress(known=False) as progress:
        progress.add_task(what, total=None)
        yield


def _progress(known: bool = True) -> Progress:
    columns = [SpinnerColumn(), TextColumn("{task.description}"), *([BarColumn(), MofNCompleteColumn()] if known else [])]
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    return Progress(*columns, TimeElapsedColumn(), console=console, transient=True, disable=not console.is_terminal)
