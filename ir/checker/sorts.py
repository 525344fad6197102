"""Sorting statements: `topk`, `sort` and `argsort`.

    (v[n, k], at[n, k]) = topk[e](score[n, e], K)     the K largest, largest first, and where they stood
    (v[n, i], at[n, i]) = sort[e](x[n, e])            ascending; one target alone takes the values
    at[n, i]            = argsort[e](x[n, e])

The one index of the targets that the value does not depend on is the place in the order. The values come from the places:
v[n, k] = score[n, at[n, k]], so that a gradient of the values is a scatter through the places.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from uol.ir.checker import accesses, constants, values
from uol.ir.checker.constants import cast_integer
from uol.ir.checker.environment import Scope
from uol.ir.checker.messages import mismatch, some
from uol.ir.integers.terms import compare
from uol.ir.program.nodes import Axis, Const, Expr, Load, Order, Stage, Tensor, Var
from uol.ir.program.render import show
from uol.ir.program.walk import substitute
from uol.ir.syntax.surface import Name, Reduction, Statement, Target
from uol.ir.types import INDEX

PLACES = ("i32", "i64")
"""Types of a result that takes places: narrower ones could not number a dim of a usual size."""

Define = Callable[[Scope, Target, dict[str, Axis], str], Tensor]
"""Gives the tensor of a target: the declared result, or a new local of that type."""


def order(scope: Scope, statement: Statement, define: Define, declared: Callable[[Target], Tensor | None]) -> None:
    """Adds the stages of a sorting statement: the places, then the values."""
    node = statement.value
    assert isinstance(node, Reduction)
    _check_form(scope, statement, node)
    name = node.binders[0].name
    body = node.args[0]
    place, rows = _place(scope, statement, node)
    standing = [p for p in accesses.places(scope, body, name)]
    extent = accesses.extent_of(scope, name, standing)
    if extent is None:
        raise mismatch(scope.op, node.binders[0], f"nothing says how far `{name}` runs", "let it stand alone in an index")
    axis = Axis(scope.axis_name(name), extent)
    axes = _axes(scope, statement, node, place, axis, declared)
    with scope.indices({**rows_of(axes, rows), name: axis}):
        key = values.value(scope, body, None)
    if key.type == INDEX:
        key = cast_integer(scope.facts.simplify(key), "i64")
    if key.type == "bool":
        raise mismatch(scope.op, body, f"`{node.op}` is not for bool", "sort numbers: `i32(...)`")
    if not (isinstance(key, Load) and not key.guard):
        key = _keys(scope, statement, key, rows_of(axes, rows), axis)
    _emit(scope, statement, node, axes, Order(axis, key, Var(axes[place].name), node.op == "topk", "i64", node.span), define)


def _emit(scope: Scope, statement: Statement, node: Reduction, axes: dict[str, Axis], order: Order, define: Define) -> None:
    targets = statement.targets
    to_values = None if node.op == "argsort" else targets[0]
    to_places = targets[-1] if node.op == "argsort" or len(targets) == 2 else None
    if to_places is not None:
        places = define(scope, to_places, axes, "i64")
        if places.dtype not in PLACES:
            raise mismatch(
                scope.op,
                to_places,
                f"`{to_places.tensor}` takes indices and is {places.dtype}",
                f"declare it {PLACES[0]} or i64",
            )
    else:
        shape = tuple(a.extent for a in axes.values())
        name = scope.env.draft.unique(f"{targets[0].tensor}_order")
        places = scope.env.draft.add(Tensor(name, "i64", shape, "local"))
    scope.env.draft.limits[places.name] = order.axis.extent
    if [a.extent for a in axes.values()] == [order.axis.extent]:
        scope.env.draft.permutations.append(places.name)
    _add(scope, places, axes, replace(order, dtype=places.dtype))
    if to_values is None:
        return
    body = order.body
    where = tuple(Var(a.name) for a in axes.values())
    at = cast_integer(Load(places.name, where, (), None, places.dtype), INDEX)
    kept = define(scope, to_values, axes, body.type)
    if kept.dtype != body.type:
        raise mismatch(
            scope.op, to_values, f"`{to_values.tensor}` is {kept.dtype}, the values are {body.type}", f"declare it {body.type}"
        )
    if not order.descending and len(axes) == 1:
        scope.env.draft.sorted.append(kept.name)
    _add(scope, kept, axes, substitute(body, {order.axis.name: at}))


def _add(scope: Scope, tensor: Tensor, axes: dict[str, Axis], value: Expr) -> None:
    scope.env.draft.stages.append(Stage(tensor.name, tuple(axes.values()), value, tensor.dtype, scope.line, scope.span))


def _keys(scope: Scope, statement: Statement, key: Expr, rows: dict[str, Axis], axis: Axis) -> Load:
    """What is sorted, in a tensor of its own: it is read again where the order has put it."""
    axes = {**rows, axis.name: axis}
    name = scope.env.draft.unique(f"{statement.targets[0].tensor}_key")
    tensor = scope.env.draft.add(Tensor(name, key.type, tuple(a.extent for a in axes.values()), "local"))
    _add(scope, tensor, axes, key)
    return Load(name, tuple(Var(a.name) for a in axes.values()), (), None, key.type)


def _check_form(scope: Scope, statement: Statement, node: Reduction) -> None:
    op, count = scope.op, len(statement.targets)
    if statement.op != "=":
        raise mismatch(op, statement, f"`{node.op}` is assigned with `=`")
    if len(node.binders) != 1 or node.binders[0].bound is not None or node.binders[0].pack:
        raise mismatch(op, node, f"`{node.op}` orders along one whole index", f"write `{node.op}[e](...)`")
    wanted = 2 if node.op == "topk" else 1
    if len(node.args) != wanted:
        form = "topk[e](value, K)" if node.op == "topk" else f"{node.op}[e](value)"
        raise mismatch(op, node, f"`{node.op}` takes {some(wanted, 'argument')}, not {len(node.args)}", f"write `{form}`")
    most = 1 if node.op == "argsort" else 2
    if count > most:
        gives = "indices" if most == 1 else "values and indices"
        raise mismatch(op, statement.targets[most], f"`{node.op}` gives {gives}, there are {some(count, 'target')}")
    first = [i.id for i in statement.targets[0].index if isinstance(i, Name)]
    for target in statement.targets[1:]:
        if [i.id for i in target.index if isinstance(i, Name)] != first:
            raise mismatch(
                op, target, "the targets of a sort have the same indices", f"write `{target.tensor}[{', '.join(first)}]`"
            )


def _place(scope: Scope, statement: Statement, node: Reduction) -> tuple[str, tuple[str, ...]]:
    """The index that counts the order, and the others."""
    target = statement.targets[0]
    names = [i.id for i in target.index if isinstance(i, Name)]
    used = frozenset(accesses.indices(scope, node.args[0]))
    depends = [n for n in names if n in used]
    free = [n for n in names if n not in depends]
    if len(free) != 1:
        found = "no index" if not free else f"{len(free)} indices ({', '.join(free)})"
        raise mismatch(
            scope.op,
            target,
            f"one index of the target counts the order, and the value does not depend on it; the target has {found}",
            f"write e.g. `{target.tensor}[..., k] = {node.op}[{node.binders[0].name}](...)`",
        )
    return free[0], tuple(depends)


def rows_of(axes: dict[str, Axis], rows: tuple[str, ...]) -> dict[str, Axis]:
    """The axes of those indices."""
    return {name: axes[name] for name in rows}


def _axes(
    scope: Scope, statement: Statement, node: Reduction, place: str, axis: Axis, declared: Callable[[Target], Tensor | None]
) -> dict[str, Axis]:
    """The targets' indices with what they run over; the place runs to K, or over the whole axis."""
    length = axis.extent
    if node.op == "topk":
        length = scope.facts.simplify(constants.constant(scope.env, node.args[1], INDEX))
        scope.env.require(compare(">=", length, Const(0)), node.args[1], f"`topk` of {show(length)} elements")
        is_number = isinstance(axis.extent, Const)  # a condition between numbers would help nobody
        scope.env.require(
            compare("<=", length, axis.extent),
            node.args[1],
            f"`topk` takes {show(length)} of {show(axis.extent)} elements",
            f"give at least {show(length)}" if is_number else f"add `where {show(axis.extent)} >= {show(length)}`",
        )
    axes: dict[str, Axis] = {}
    for number, item in enumerate(statement.targets[0].index):
        assert isinstance(item, Name)
        found = list(accesses.places(scope, node.args[0], item.id))
        if item.id == place:
            found.append(accesses.Place(length, node, True))
        for target in statement.targets:
            tensor = declared(target)
            if tensor is not None:
                found.insert(0, accesses.Place(tensor.shape[number], target.index[number], True))
        axes[item.id] = accesses.axis_of(scope, item, found)
    return axes
