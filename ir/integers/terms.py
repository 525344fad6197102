"""The words of integer reasoning: how conditions and index expressions are written, and what a polynomial is."""

from __future__ import annotations

from collections.abc import Mapping

from uol.ir.integers.intervals import Interval
from uol.ir.program.nodes import Call, Const, Expr
from uol.ir.types import INDEX

Monomial = tuple[Expr, ...]
Poly = dict[Monomial, int]
Ranges = Mapping[str, Interval]

COMPARISONS = ("<", "<=", ">", ">=", "==", "!=")
ZERO = Const(0)
ONE = Const(1)


def idx(fn: str, *args: Expr) -> Call:
    """An index expression, as it stands."""
    return Call(fn, args, INDEX)


def compare(fn: str, left: Expr, right: Expr) -> Call:
    """A condition, as it stands."""
    return Call(fn, (left, right), "bool")
