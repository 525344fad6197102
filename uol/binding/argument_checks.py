"""Arguments of the wrong kind: what was expected, what came, and how to write it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from uol.ir.errors import UolError

Kind = TypeVar("Kind")


def require_kind(value: object, kinds: type[Kind] | tuple[type[Kind], ...], what: str, wanted: str, hint: str) -> Kind:
    """The value, where it is of one of these kinds. Raises UolError: `<what> is <value>, not <wanted>`.

    >>> require_kind(3, str, "target", "a name", 'write target="hip:mi250x"')
    Traceback (most recent call last):
    uol.ir.errors.UolError: target is 3, not a name
      help: write target="hip:mi250x"
    """
    if not isinstance(value, kinds):
        raise UolError(f"{what} is {shown(value)}, not {wanted}", hint=hint)
    return value


def require_names(value: object, what: str, hint: str) -> Mapping[str, object]:
    """The value, where it is a mapping whose keys are texts."""
    named = require_kind(value, Mapping, what, "a dict", hint)
    for key in named:
        require_kind(key, str, f"a name in {what}", "a text", hint)
    return named


def shown(value: object) -> str:
    """The value as it is written; its type, where that would be long."""
    text = repr(value)
    return text if len(text) <= 40 and "\n" not in text else f"of type {type(value).__name__}"
