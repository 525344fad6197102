"""What a user may have meant."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from uol.ops.other_names import ALIASES, KIN


def nearest(word: str, known: Iterable[str]) -> str | None:
    """`"did you mean softmax, softplus?"` for the known words closest to `word`; None when none is close."""
    close = get_close_matches(word, sorted(known), n=3, cutoff=0.6)
    return f"did you mean {', '.join(close)}?" if close else None


def nearest_operator(name: str, known: Iterable[str]) -> str | None:
    """`nearest` among operators; what PyTorch means by a name goes before what is spelt like it."""
    meant = ALIASES.get(name) or KIN.get(name)
    return f"here it is {meant}" if meant else nearest(name, known)
