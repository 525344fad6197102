"""Forms of expressions that a derivation asks for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import islice

from uol.ir.functions import FUNCTIONS
from uol.ir.gradients.text.algebra import product_of
from uol.ir.gradients.text.substitution import Item, binder_key, key_item
from uol.ir.syntax.surface import Access, Apply, Binary, Expr, Name, Node, Pack, Reduction, below, exchange

LONG = 150
"""How many nodes an expression has that is long: more than any in the gradients of the library."""


def is_plain_read(expr: Expr) -> bool:
    """`x[i, j]`, or a cast of it."""
    while isinstance(expr, Apply) and len(expr.args) == 1 and expr.fn not in FUNCTIONS and not isinstance(expr.args[0], Pack):
        expr = expr.args[0]
    return isinstance(expr, Access)


def is_tame(expr: Expr, inside: Callable[[Access], bool]) -> bool:
    """A read, a number, a dim, or a sum of products of those: no value that is made by a function, and may be infinite
    where it is not wanted, and no read that may not be `inside` its tensor there."""
    if isinstance(expr, Reduction) and expr.op == "sum":
        return all(power > 0 and is_tame(factor, inside) for factor, power in product_of(expr.args[0]).factors)
    reads = [n for n in below(expr) if isinstance(n, Access)]
    return not reads or (is_plain_read(expr) and all(stands_alone(r) or inside(r) for r in reads))


def stands_alone(condition: Node) -> bool:
    """Whether every read of an expression is in range wherever it is made."""
    reads = [n for n in below(condition) if isinstance(n, Access)]
    return all(r.fill is not None or all(isinstance(i, Name | Pack) for i in r.index) for r in reads)


def reads_data(expr: Node) -> bool:
    """Whether an element of a tensor is read in an expression."""
    return any(isinstance(n, Access) for n in below(expr))


def is_long(exprs: Iterable[Expr]) -> bool:
    """Whether expressions are worth a name before they are written down several times."""
    return next(islice((n for e in exprs for n in below(e)), LONG, None), None) is not None


def compared(index: Expr) -> Expr:
    """An index as a comparison takes it: data of any integer type that is computed with, as i64."""
    return index if isinstance(index, Access) else as_i64(index)


def as_i64(index: Expr) -> Expr:
    """An index, with the data in it as i64, as it is compared with an index."""
    return exchange(index, lambda n: Apply("i64", (n,)) if isinstance(n, Access) else None)


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
