"""A cotangent on its way through a statement, and the indices that it stands under."""

from __future__ import annotations

from dataclasses import dataclass

from uol.ir.gradients.algebra import Sum
from uol.ir.gradients.substitution import Item
from uol.ir.syntax import Expr, Name, Pack


@dataclass(frozen=True, slots=True)
class Cotangent:
    """A sum of products of one type."""

    type: str
    sum: Sum


@dataclass(frozen=True, slots=True)
class Index:
    """An index of a statement, or one that a reduction around the expression binds (`bound`).

    extent      how far it runs, from 0: a dim, or the pack of dims
    conditions  further ones, of a bound index: (relation, bound)
    """

    key: str
    extent: Item | None
    bound: bool
    conditions: tuple[tuple[str, Expr], ...] = ()

    @property
    def item(self) -> Name | Pack:
        return Pack(self.key[1:]) if self.key.startswith("*") else Name(self.key)
