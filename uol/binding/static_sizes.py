"""Extents and strides: of a static kernel as numbers, of one with open dims as they are written."""

from __future__ import annotations

from collections.abc import Iterable

from uol.codegen.specs.expression_text import expr_text
from uol.ir.errors import ShapeError
from uol.ir.program.nodes import Const, Expr


def static_sizes(exprs: Iterable[Expr]) -> tuple[int, ...]:
    """The numbers behind constant expressions. Raises ShapeError where one is symbolic."""
    return tuple(_number(e) for e in exprs)


def size_json(expr: int | Expr) -> int | str:
    """A number, or the text of an expression over open dims."""
    if isinstance(expr, int):
        return expr
    return int(expr.value) if isinstance(expr, Const) else expr_text(expr)


def size_text(expr: Expr) -> str:
    """`"4,096"`, or the text of an expression over open dims."""
    size = size_json(expr)
    return f"{size:,}" if isinstance(size, int) else size


def _number(expr: Expr) -> int:
    if isinstance(expr, Const):
        return int(expr.value)
    raise ShapeError("a dim is symbolic here", hint="give every dim a size when compiling")
