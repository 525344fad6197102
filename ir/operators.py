"""What a text may call, as those see it that only look operators up: a derivation asks for callees and their gradients."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from uol.ir.syntax.surface import Op

GRADIENT = "_grad"
SAVING = "_saving"


def gradient_name(name: str, integers: Sequence[str] = ()) -> str:
    """What the gradient of an operator is called; `integers`: the type variables that may be floats and are none there."""
    return "_".join([f"{name}{GRADIENT}", *(["integer", *integers] if integers else [])])


class Operators(Protocol):
    """Operators by name; `uol.ir.library.Library` is one."""

    def get(self, name: str) -> Op | None:
        """The operator of that name, or None; derived ones are among them."""

    def written_gradient(self, name: str) -> Op | None:
        """The text that stands in the place of a derived gradient."""

    def __iter__(self) -> Iterator[Op]: ...
