"""How far an index runs (rule 10 of the language): over the dim where it stands alone.

An access with an `else` may reach beyond its dim, so it gives a range only to an index that nothing else gives one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from uol.ir.checker import accesses
from uol.ir.checker.environment import Scope
from uol.ir.checker.messages import mismatch
from uol.ir.integers.terms import compare
from uol.ir.program.nodes import Axis, Expr
from uol.ir.program.render import show
from uol.ir.syntax import surface
from uol.ir.syntax.surface import Access, Apply, Name, Node, Reduction


@dataclass(frozen=True, slots=True)
class Place:
    """A dim in which an index stands alone."""

    extent: Expr
    node: Node
    firm: bool  # without an `else`


def places(scope: Scope, node: Node, name: str) -> Iterator[Place]:
    """Where the index stands alone in an expression; a reduction that binds the name hides it."""
    if isinstance(node, Reduction) and any(b.name == name for b in node.binders):
        return
    if isinstance(node, Access):
        shape = accesses.tensor_of(scope, node).shape
        for item, extent in zip(node.index, shape, strict=False):
            if isinstance(item, Name) and item.id == name:
                yield Place(extent, item, node.fill is None)
    for operand in surface.operands(node):
        yield from places(scope, operand, name)


def indices(scope: Scope, node: Node, hidden: frozenset[str] = frozenset()) -> Iterator[str]:
    """The indices that stand in an expression, in order, but those that its reductions bind."""
    if isinstance(node, Reduction):
        hidden = hidden | {b.name for b in node.binders}
    if isinstance(node, Name) and not (node.id in hidden or scope.env.names_other_than_index(node.id)):
        yield node.id
    parts: tuple[Node, ...] = surface.operands(node)
    if isinstance(node, Access) and isinstance(node.tensor, Apply):
        parts = parts[1:]  # the call's arguments are whole tensors
    for part in parts:
        yield from indices(scope, part, hidden)


def extent_of(scope: Scope, name: str, found: list[Place]) -> Expr | None:
    """The range that the places agree on; None where there is none. A conflict is an error that shows both places."""
    counted = [p for p in found if p.firm] or found
    if not counted:
        return None
    first = counted[0]
    for other in counted[1:]:
        if not _equal(scope, first.extent, other.extent):
            span = first.node.span
            raise mismatch(
                scope.op,
                other.node,
                f"the index `{name}` runs over {show(other.extent)} here and over {show(first.extent)} at line {span.line},"
                f" column {span.column}",
                f"add `where {show(first.extent)} == {show(other.extent)}`, or use two indices",
            )
    return first.extent


def axis_of(scope: Scope, item: Name, found: list[Place]) -> Axis:
    """The axis of an index of a target. Raises TypeCheckError where the places do not say how far it runs."""
    extent = extent_of(scope, item.id, found)
    if extent is None:
        raise mismatch(
            scope.op,
            item,
            f"nothing says how far `{item.id}` runs",
            "let it stand alone in an index of the right side; where none is read, in an arm that is never taken:"
            f" `select(true, ..., x[{item.id}])`",
        )
    return Axis(scope.axis_name(item.id), extent)


def _equal(scope: Scope, a: Expr, b: Expr) -> bool:
    return a == b or scope.facts.prove(compare("==", a, b))
