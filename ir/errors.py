"""The errors of uol: where, what, why, what next."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from uol.ir.syntax.span import Span


class UolError(Exception):
    """Base of every error that uol raises for a user's mistake or a machine's limit.

    `message` says what is wrong and why, `hint` what would be right, `span` where; `text` is the source the span
    points into. `str(error)` is all of that, with the line and a caret; `report` has the kind of the error, too, which
    Python's own tracebacks put before it.
    """

    def __init__(self, message: str, *, span: Span | None = None, text: str | None = None, hint: str | None = None) -> None:
        self.message = message
        self.span = span
        self.text = text
        self.hint = hint
        super().__init__(message)

    def __str__(self) -> str:
        return self._told(self.message)

    @property
    def report(self) -> str:
        """What the command line prints."""
        return self._told(f"{type(self).__name__}: {self.message}")

    def _told(self, message: str) -> str:
        parts = [f"{self.span}: {message}" if self.span else message]
        if self.span and self.text is not None:
            lines = self.text.splitlines()
            if 0 < self.span.line <= len(lines):
                line = lines[self.span.line - 1]
                same_line = self.span.end_line == self.span.line
                width = max(1, (self.span.end_column if same_line else len(line) + 1) - self.span.column)
                parts += [f"  {line}", "  " + " " * (self.span.column - 1) + "^" * width]
        if self.hint:
            parts.append(f"  help: {self.hint}")
        return "\n".join(parts)


class ParseError(UolError):
    """The text is not of the grammar."""


class TypeCheckError(UolError):
    """A name, type, shape or index of the text does not fit."""


class BoundsError(UolError):
    """An access that could not be proven in range."""


class ShapeError(UolError):
    """Tensors, dims or attributes of a call that do not fit the operator."""


class DataError(UolError):
    """Values that break a rule which is not asked after outside of checked mode."""


class ContractError(UolError):
    """A result, or a gradient, beyond what is admitted of its operator (`uol.enabled(check=True)`)."""


class ResourceError(UolError):
    """A kernel that does not fit the machine, or a file or folder that cannot be used."""


class RefusalError(ResourceError):
    """A target has no kernel for this; the message is the reason that its backend gives."""


class ScheduleError(UolError):
    """A schedule that is given for a kernel which cannot have it."""


class ToolchainError(UolError):
    """A vendor's tool that is missing or that refused the text."""


class DeviceError(UolError):
    """A device that failed, in its driver's words: a launch, memory that ran out, an earlier kernel. The next call may work."""


class MissingToolError(ToolchainError):
    """A vendor's tool that is not there: a state of the machine, which some callers can do without."""
