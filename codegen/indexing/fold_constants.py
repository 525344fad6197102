"""Variables exchanged, and constants folded on the way: what 0 for an axis of extent 1 leaves behind is tidied up."""

from __future__ import annotations

from collections.abc import Mapping

from uol.codegen.indexing.arithmetic import folded
from uol.ir.program.nodes import Call, Expr, Var


def substituted(expr: Expr, values: Mapping[str, Expr]) -> Expr:
    """The expression with variables exchanged by name and index constants folded."""

    def go(e: Expr) -> Expr:
        return substituted(e, values)

    if isinstance(expr, Var):
        return values.get(expr.name, expr)
    exchanged = expr.map_children(go)
    return folded(exchanged) if isinstance(exchanged, Call) else exchanged
