"""Reads of tensors: the proof that they stay inside, and how far an index runs: over the
dim where it stands alone.

An access with an `else` may reach beyond its dim, so it gives a range only to an index that nothing else gives one; and what
stands alone nowhere, but bounds the index of a reduction (`j <= i`), runs as far as that.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from uol.ir.checker import calls, values
from uol.ir.checker.constants import cast_integer
from uol.ir.checker.environment import Scope
from uol.ir.checker.messages import at, closest, mismatch, some
from uol.ir.errors import BoundsError, TypeCheckError
from uol.ir.integers.terms import compare
from uol.ir.program.nodes import Axis, Const, Expr, Load, Tensor, Var, zero_of
from uol.ir.program.render import show
from uol.ir.syntax import surface
from uol.ir.syntax.surface import Access, Apply, Name, Node, Reduction, Statement, below
from uol.ir.types import INDEX, is_integer


def load(scope: Scope, node: Access, want: str | None) -> Expr:
    """`x[index] else fill` with the guards that could not be proven away. Where an index stands, integers become idx."""
    tensor = tensor_of(scope, node)
    if len(node.index) != len(tensor.shape):
        dims = ", ".join(map(show, tensor.shape))
        raise mismatch(
            scope.op,
            node,
            f"`{base_name(node)}` has {some(len(tensor.shape), 'dim')} [{dims}], the access has"
            f" {some(len(node.index), 'index', 'indices')}",
        )
    index = tuple(values.index_value(scope, i) for i in node.index)
    guard = tuple(g for n in range(len(index)) for g in _guards(scope, node, tensor, n, index[n]))
    read = Load(tensor.name, index, guard, _fill(scope, node, tensor.dtype) if guard else None, tensor.dtype, node.span)
    if node.fill is not None and not guard:
        _fill(scope, node, tensor.dtype)  # the type is checked, though the value is never used
    return cast_integer(read, INDEX) if want == INDEX and is_integer(tensor.dtype) else read


def tensor_of(scope: Scope, node: Access) -> Tensor:
    """The tensor that an access reads; the call of an operator is inlined."""
    if not isinstance(node.tensor, Name):
        return calls.single(scope, node.tensor)
    name = node.tensor.id
    if name not in scope.env.tensors:
        known = (*scope.env.tensors,)
        kind = (
            "an index"
            if name in scope.axes
            else "a dim or an attribute"
            if name in (*scope.env.dims, *scope.env.attributes)
            else ""
        )
        if kind:
            raise mismatch(scope.op, node.tensor, f"`{name}` is {kind}, not a tensor")
        if any(name == t.tensor for s in scope.op.body for t in s.targets):
            raise _read_too_early(scope, node.tensor, node)
        raise mismatch(scope.op, node.tensor, f"unknown tensor `{name}`", closest(name, known))
    return scope.env.tensors[name]


def _read_too_early(scope: Scope, name: Name, node: Access) -> TypeCheckError:
    """The error of a read before its tensor is defined: the order of the statements may be to blame, or there is none."""
    body = scope.op.body
    reader = next((s for s in body if any(n is node for part in _parts(s) for n in below(part))), None)
    made = reader.targets[0].tensor if reader is not None else ""
    if name.id == made:
        return mismatch(
            scope.op,
            name,
            f"`{name.id}` is read in the statement that defines it",
            f"a statement reads what others define; a running reduction is `{name.id}[t] = sum[s <= t](...)`, or `max`, `prod`",
        )
    if made and made in _needed_for(name.id, body):
        hint = "no statement can come first: write one of them without the other"
        return mismatch(scope.op, name, f"`{made}` and `{name.id}` are each defined by the other", hint)
    return mismatch(scope.op, name, f"`{name.id}` is read before the statement that defines it", "reorder the statements")


def _parts(statement: Statement) -> tuple[Node, ...]:
    return (statement.value, *(i for t in statement.targets for i in t.index))


def _needed_for(tensor: str, body: Sequence[Statement]) -> frozenset[str]:
    """The tensors that a tensor is computed from."""
    found: set[str] = set()
    pending = [tensor]
    while pending:
        name = pending.pop()
        parts = [p for s in body if any(t.tensor == name for t in s.targets) for p in _parts(s)]
        read = {n.tensor.id for p in parts for n in below(p) if isinstance(n, Access) and isinstance(n.tensor, Name)}
        pending += read - found
        found |= read
    return frozenset(found)


def base_name(node: Access) -> str:
    """What an access reads, as it is called in the text."""
    return node.tensor.id if isinstance(node.tensor, Name) else f"{node.tensor.fn}(...)"


def _guards(scope: Scope, node: Access, tensor: Tensor, dim: int, index: Expr) -> list[Expr]:
    """The sides of one dim that have to be checked when the access is made.

    A side that holds only under the conditions around the access (an arm of a `select`, a masked reduction) is a guard
    too: a kernel may evaluate the access where they do not hold, and drop the value.
    """
    extent = tensor.shape[dim]
    if isinstance(index, Var) and Axis(index.name, extent) in scope.axes.values():
        return []
    guards: list[Expr] = []
    for side in sides(index, extent):
        if proven(scope, index, side):
            continue
        if node.fill is None and not scope.holds_on_path(side):
            if scope.has_index(side):
                raise _out_of_bounds(scope, node, dim, index, extent, side)
            scope.env.require(side, node, f"`{base_name(node)}` is read at {show(index)} in dim {dim}, of size {show(extent)}")
            continue
        guards.append(side)
    return guards


def sides(index: Expr, extent: Expr) -> tuple[Expr, Expr]:
    """0 <= index and index < extent."""
    return compare(">=", index, Const(0)), compare("<", index, extent)


def proven(scope: Scope, index: Expr, side: Expr) -> bool:
    """Whether a side holds at every point. Values that are places of an order, or of an extremum, have a known range."""
    with scope.facts.scope(*scope.env.limits_in(index)):
        return scope.facts.prove(side)


def _fill(scope: Scope, node: Access, dtype: str) -> Expr:
    if node.fill is None:
        return zero_of(dtype)
    fill = values.value(scope, node.fill, dtype)
    return values.fit(scope, node.fill, fill, dtype, f"the `else` of `{base_name(node)}`")


def _out_of_bounds(scope: Scope, node: Access, dim: int, index: Expr, extent: Expr, side: Expr) -> BoundsError:
    item = node.index[dim]
    extents = {a.name: a.extent for a in scope.axes.values()}
    low, high = scope.facts.bound_below(index, extents), scope.facts.bound_above(index, extents)
    if low is None and high is None:
        reach = "its range is not known"
    else:
        reach = f"it ranges from {show(low) if low is not None else '?'} to {show(high) if high is not None else '?'}"
    message = f"cannot prove `{show(side)}` for dim {dim} of `{base_name(node)}`: {reach}, the dim is {show(extent)}"
    return at(BoundsError, scope.op, item, message, "add `else value` to the access, or what must hold to the `where` clause")


@dataclass(frozen=True, slots=True)
class Place:
    """A dim in which an index stands alone; with `bounding`, one that it bounds does."""

    extent: Expr
    node: Node
    firm: bool  # without an `else`
    bounding: bool = False


def places(scope: Scope, node: Node, name: str) -> Iterator[Place]:
    """Where the index stands alone in an expression, or an index that it bounds; a reduction that binds the name hides it."""
    if isinstance(node, Reduction):
        if any(b.name == name for b in node.binders):
            return
        for binder in surface.bounded_by(node, Name(name)):
            found = (p for a in node.args for p in places(scope, a, binder.name))
            yield from (Place(p.extent, binder, firm=False, bounding=True) for p in found)
    if isinstance(node, Access):
        shape = tensor_of(scope, node).shape
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
    counted = [p for p in found if p.firm] or [p for p in found if not p.bounding] or found
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
