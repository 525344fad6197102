"""Arguments that are wrong: what was expected, what came, and what may be meant."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
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


def nearest(word: str, known: Iterable[str]) -> str | None:
    """`"did you mean softmax, softplus?"` for the known words closest to `word`, whatever their case; None when none is
    close."""
    spelt = {each.lower(): each for each in sorted(known)}
    close = [spelt[each] for each in get_close_matches(word.lower(), spelt, n=3, cutoff=0.6)]
    return f"did you mean {', '.join(close)}?" if close else None
