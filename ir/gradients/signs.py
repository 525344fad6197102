"""Signs of integer expressions of a text, by its `where` clause and the ranges of its indices: an inverse divides only by what
is known to be positive, and an extremum has a place only where its window holds an index."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from uol.ir import conditions
from uol.ir.elimination import Elimination
from uol.ir.gradients.substitution import Item
from uol.ir.knowledge import Knowledge
from uol.ir.nodes import Call, Const, Var
from uol.ir.nodes import Expr as Typed
from uol.ir.syntax import Apply, Binary, Expr, Name, Node, Number, Pack, Unary
from uol.ir.terms import COMPARISONS, compare
from uol.ir.types import INDEX


class Signs:
    """What is known of an operator's dims and attributes, by its declared dims and its `where` clause. Proofs are by
    elimination alone: no solver is loaded."""

    def __init__(self, dims: Iterable[Item] = (), where: Iterable[Expr] = ()) -> None:
        known = [compare(">=", typed, Const(0)) for d in dims if (typed := _integer(d)) is not None]
        self._known = Knowledge((*known, *_conditions(where)))

    def hold(self, claims: Iterable[Expr], extents: Mapping[str, Item | None]) -> bool:
        """Whether all comparisons hold for all values of the indices, each below its extent where that is known."""
        ranges: list[Expr] = []
        for name, extent in extents.items():
            ranges.append(Binary(">=", Name(name), Number(0)))
            if extent is not None and not isinstance(extent, Pack):
                ranges.append(Binary("<", Name(name), extent))
        return all(_holds(self._known.extended(_conditions(ranges)), c) for c in claims)

    def is_positive(self, expr: Expr, extents: Mapping[str, Item | None]) -> bool:
        """Whether an expression is above 0 for all that `where` admits, and all values of the indices."""
        if isinstance(expr, Number):
            return expr.value > 0
        return self.hold((Binary(">", expr, Number(0)),), extents)


def _holds(known: Knowledge, claim: Expr) -> bool:
    condition = _condition(claim)
    poly = None if condition is None else conditions.at_least_zero(condition, known.ranges)
    return poly is not None and Elimination(known).not_negative(poly)


def _conditions(exprs: Iterable[Expr]) -> list[Typed]:
    return [c for e in exprs if (c := _condition(e)) is not None]


def _condition(expr: Expr) -> Typed | None:
    if not isinstance(expr, Binary) or expr.op not in COMPARISONS:
        return None
    left, right = _integer(expr.left), _integer(expr.right)
    return None if left is None or right is None else compare(expr.op, left, right)


def _integer(node: Node) -> Typed | None:
    """An integer expression as the proofs read it; None for what they do not know."""
    match node:
        case Number(value=int(value)):
            return Const(value)
        case Name(id=name):
            return Var(name)
        case Apply(fn="count", args=(Pack(id=name),)):
            return Var(f"count(*{name})")
        case Unary(op="neg", arg=arg):
            inner = _integer(arg)
            return None if inner is None else Call("neg", (inner,), INDEX)
        case Binary(op="+" | "-" | "*" | "/" | "%" as op, left=left, right=right):
            a, b = _integer(left), _integer(right)
            return None if a is None or b is None else Call(op, (a, b), INDEX)
    return None
