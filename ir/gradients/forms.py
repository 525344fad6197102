"""Forms of expressions that a derivation asks for."""

from __future__ import annotations

from collections.abc import Mapping

from uol.ir.functions import FUNCTIONS
from uol.ir.gradients.algebra import product_of
from uol.ir.gradients.substitution import Item, binder_key, key_item
from uol.ir.syntax import Access, Apply, Binary, Expr, Name, Pack, Reduction, below


def is_plain_read(expr: Expr) -> bool:
    """`x[i, j]`, or a cast of it."""
    while isinstance(expr, Apply) and len(expr.args) == 1 and expr.fn not in FUNCTIONS and not isinstance(expr.args[0], Pack):
        expr = expr.args[0]
    return isinstance(expr, Access)


def is_tame(expr: Expr) -> bool:
    """A read, a number, a dim, or a sum of products of those: no value that is made by a function, and may be infinite
    where it is not wanted."""
    if isinstance(expr, Reduction) and expr.op == "sum":
        return all(power > 0 and is_tame(factor) for factor, power in product_of(expr.args[0]).factors)
    return is_plain_read(expr) or not any(isinstance(n, Access) for n in below(expr))


def position(index: Name | Pack) -> Expr:
    """The place that an index stands at: its own value, the row-major one of a pack."""
    return index if isinstance(index, Name) else Apply("flat", (index,))


def linear_position(node: Reduction, extents: Mapping[str, Item | None]) -> Expr:
    """The row-major linear index over what a reduction binds."""
    out: Expr | None = None
    seen: list[str] = []
    for binder in node.binders:
        key = binder_key(binder)
        if key in seen:
            continue
        seen.append(key)
        here = position(key_item(key))
        if out is None:  # the outermost has no place in units of another
            out = here
            continue
        extent = extents[key]
        assert extent is not None, f"nothing says how far {binder.name} runs"
        size = Apply("count", (extent,)) if isinstance(extent, Pack) else extent
        out = Binary("+", Binary("*", out, size), here)
    assert out is not None
    return out
