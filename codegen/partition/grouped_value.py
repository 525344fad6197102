"""A contraction in segments, as the value of a stage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from uol.ir.program.nodes import Expr, Reduce, Var

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
