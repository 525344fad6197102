"""A contraction in segments, as the value of a stage."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal, Self

from uol.ir.program.nodes import Expr, Reduce, Var, still_var

Mode = Literal["rows", "terms"]


@dataclass(frozen=True, slots=True)
class Segmented(Expr):
    """A contraction whose rows or terms at `at` belong to the segment `key`, an index that varies along `at` alone. `of` is
    a segment: of the rows at hand, bound here; or an axis of the stage, whose terms are those with its key. Only ever the
    whole value of a stage."""

    over: Mode
    at: Var
    key: Expr
    of: Var
    value: Reduce
    dtype: str

    @property
    def children(self) -> tuple[Expr, ...]:
        return self.at, self.key, self.of, self.value

    def map_children(self, go: Callable[[Expr], Expr]) -> Self:
        value = go(self.value)
        assert isinstance(value, Reduce), "the value in segments is a contraction"
        return replace(self, at=still_var(go(self.at)), key=go(self.key), of=still_var(go(self.of)), value=value)
