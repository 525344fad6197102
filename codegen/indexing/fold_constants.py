"""Variables exchanged, and constants folded on the way: what 0 for an axis of extent 1 leaves behind is tidied up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from uol.codegen.indexing.arithmetic import folded
from uol.codegen.specs.nodes import Read
from uol.codegen.specs.traverse import rewrite, rewrite_guard
from uol.ir.program.nodes import Call, Expr, Var


def substituted(expr: Expr, values: Mapping[str, Expr]) -> Expr:
    """The expression with variables exchanged by name and index constants folded."""

    def go(e: Expr) -> Expr:
        return substituted(e, values)

    match expr:
        case Var(name=name):
            return values.get(name, expr)
        case Call(args=args):
            return folded(replace(expr, args=tuple(go(a) for a in args)))
        case Read(offset=offset, guard=guards, fill=fill):
            return replace(
                expr,
                offset=go(offset),
                guard=tuple(rewrite_guard(g, go) for g in guards),
                fill=None if fill is None else go(fill),
            )
    return rewrite(expr, lambda _: None)
