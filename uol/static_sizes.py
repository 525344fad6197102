"""Extents and strides of a static kernel as numbers."""

from __future__ import annotations

from collections.abc import Iterable

from uol.ir.errors import ShapeError
from uol.ir.nodes import Const, Expr


def static_sizes(exprs: Iterable[Expr]) -> tuple[int, ...]:
    """The numbers behind constant expressions. Raises ShapeError where one is symbolic."""
    return tuple(_number(e) for e in exprs)


def _number(expr: Expr) -> int:
    if isinstance(expr, Const):
        return int(expr.value)
    raise ShapeError("a dim is symbolic here", hint="give every dim a size when compiling")
