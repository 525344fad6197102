"""A text that is being written."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeVar

Drawn = TypeVar("Drawn")
Scope = dict[str, str]
"""Indices by name, with the text of what each runs over: a dim, or a number."""

FRESH = "lpqrtuvw"
"""Names of the indices that reductions bind, the outermost first."""
STEP = "s"
"""The name of the integer attribute that some texts have: a step in indices, of a sign that `where` says."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """`kind` is `float` for inputs of type T, `local` for what statements define, `index` for integers."""

    name: str
    dims: tuple[str, ...]
    kind: str


@dataclass(slots=True)
class Draft:
    """`sizes` has every dim; `least` the sizes that reads ask of them, for the `where` clause; `lines` the statements.
    With `wide` a read of T stands in `acc`, and results are cast. `step` is the value of the attribute, 0 for none."""

    rng: random.Random
    sizes: dict[str, int]
    wide: bool
    step: int
    tensors: list[Tensor] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    least: dict[str, int] = field(default_factory=dict)
    callees: dict[str, str] = field(default_factory=dict)

    def pick(self, choices: Sequence[Drawn]) -> Drawn:
        """One of them."""
        return self.rng.choice(choices)

    def chance(self, share: float) -> bool:
        """True in this share of all draws."""
        return self.rng.random() < share

    def forms(self, weighted: dict[str, int]) -> str:
        """One of the names, by weight."""
        return self.rng.choices(list(weighted), list(weighted.values()))[0]

    def require(self, dim: str, size: int) -> bool:
        """Asks that a dim be at least so large; False where it is not."""
        if self.sizes[dim] < size:
            return False
        self.least[dim] = max(self.least.get(dim, 0), size)
        return True

    def floats(self) -> list[Tensor]:
        """The tensors of floats that are known so far."""
        return [t for t in self.tensors if t.kind != "index"]

    def integers(self) -> list[Tensor]:
        """The tensors of integers."""
        return [t for t in self.tensors if t.kind == "index"]

    def cast(self, tensor: Tensor, read: str) -> str:
        """A read as a value of the type that statements compute in."""
        return f"acc({read})" if self.wide and tensor.kind == "float" else f"({read})" if " else " in read else read
