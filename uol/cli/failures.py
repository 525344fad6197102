"""What the command line says when a command cannot go on, for people and for programs, and its exit status."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import typer

from uol.ir.errors import UolError
from uol.ir.syntax.span import Span

BAD_INPUT = 2
DEFECT = 70

UsageError = cast(type[Exception], typer.BadParameter.__bases__[0])
"""What a wrong command line raises: click's, which typer carries under no public name."""


@dataclass(frozen=True, slots=True)
class Failure:
    """An error as it is shown. `text` is the whole of it."""

    kind: str
    message: str
    hint: str | None
    text: str
    status: int = BAD_INPUT
    span: Span | None = None

    def as_json(self) -> dict[str, object]:
        span = self.span
        place = None if span is None else {"file": span.file, "line": span.line, "column": span.column}
        return {"error": {"type": self.kind, "message": self.message, "hint": self.hint, "place": place}}


def failure_of(error: Exception) -> Failure:
    """Any exception of a command; one that no user can be the cause of is a defect of uol."""
    match error:
        case UolError():
            return Failure(type(error).__name__, error.message, error.hint, error.report, span=error.span)
        case OSError():
            return _failure("ResourceError", str(error), "look at the disk and at the permissions of the folder")
        case MemoryError():
            return _failure("ResourceError", f"there is not enough memory: {error}", "choose smaller --dims")
        case UsageError():
            message = error.format_message()  # type: ignore[attr-defined]  # of click's class, by its name
            return _failure("UsageError", message, "`uol --help` shows the commands, `uol COMMAND --help` their options")
    message, hint = f"{type(error).__name__}: {error}", "this is a defect; UOL_DEBUG=1 shows where"
    return Failure("Defect", message, hint, f"uol failed: {message}\n  help: {hint}", DEFECT)


def _failure(kind: str, message: str, hint: str) -> Failure:
    return Failure(kind, message, hint, f"{kind}: {message}\n  help: {hint}")
