"""Dims that need no size of their own, since an equation of the `where` clause gives it: D of `C == D*groups`.

A kernel that knows such a size is faster than one that takes it as an argument: it is mostly the depth of a contraction.
"""

from __future__ import annotations

from collections.abc import Mapping

from uol.binding.dim_arithmetic import value_of
from uol.binding.instance import names_of
from uol.binding.open_instance import OpenSize
from uol.ir.syntax.surface import Binary, Expr, Name, Node, Number, Op, Unary


def settled_dims(op: Op, dims: Mapping[str, OpenSize], attrs: Mapping[str, int | float]) -> dict[str, OpenSize]:
    """The dims, with the sizes that equations between known ones give."""
    settled = dict(dims)
    for clause in op.where:
        if not isinstance(clause, Binary) or clause.op != "==":
            continue
        unknown = [name for name in names_of(clause) if settled.get(name, 0) is None]
        known = {**attrs, **{name: size for name, size in settled.items() if size is not None}}
        if len(unknown) == 1 and _is_polynomial(clause.left) and _is_polynomial(clause.right):
            settled[unknown[0]] = _solution(op, clause, unknown[0], known)
    return settled


def _solution(op: Op, clause: Binary, name: str, known: Mapping[str, int | float]) -> int | None:
    """The one size for which both sides are equal; None where there is none, or where they are not linear in it."""

    def difference(size: int) -> int | float:
        at = {**known, name: size}
        return value_of(clause.left, at, {}, op.source) - value_of(clause.right, at, {}, op.source)

    start, slope = difference(0), difference(1) - difference(0)
    if not isinstance(start, int) or not isinstance(slope, int) or slope == 0 or difference(2) != start + 2 * slope:
        return None
    size = -start // slope
    return size if size >= 0 and difference(size) == 0 else None


def _is_polynomial(expr: Expr | Node) -> bool:
    match expr:
        case Name() | Number():
            return True
        case Unary(op="neg", arg=arg):
            return _is_polynomial(arg)
        case Binary(op="+" | "-" | "*", left=left, right=right):
            return _is_polynomial(left) and _is_polynomial(right)
    return False
