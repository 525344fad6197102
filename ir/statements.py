"""Statements of an operator to stages of a program."""

from __future__ import annotations

from collections.abc import Sequence

from uol.ir import calls, constants, ranges, values
from uol.ir.environment import Environment, Scope
from uol.ir.nodes import Axis, Const, Expr, Role, Stage, Tensor
from uol.ir.render import show
from uol.ir.report import mismatch, not_yet, some
from uol.ir.span import Span
from uol.ir.syntax import Access, Apply, Name, Node, Param, Statement, Target, operands
from uol.ir.terms import compare
from uol.ir.types import INDEX


def declare(env: Environment, param: Param, name: str, role: Role) -> Tensor:
    """The tensor of a parameter, its dims evaluated; a dim that may be negative is checked at the call."""
    shape: list[Expr] = []
    for dim in param.dims:
        extent = env.facts.simplify(constants.constant(env, dim, INDEX))
        env.require(compare(">=", extent, Const(0)), dim, f"this dim is {show(extent)}, below zero")
        shape.append(extent)
    return Tensor(name, env.dtype(param.type, param), tuple(shape), role)


def run(env: Environment, lines: Sequence[int], spans: Sequence[Span], local_names: dict[str, str]) -> None:
    """Adds the stages of every statement to the draft. Results are declared in `env.tensors` under their names."""
    results = {r.name: env.tensors.pop(r.name) for r in env.op.results}
    for statement, line, span in zip(env.op.body, lines, spans, strict=True):
        _statement(Scope(env, line, span), statement, results, local_names)
    for param in env.op.results:
        if param.name not in env.tensors:
            raise mismatch(env.op, param, f"the result `{param.name}` is never defined", f"add `{param.name}[...] = ...`")


def _statement(scope: Scope, statement: Statement, results: dict[str, Tensor], local_names: dict[str, str]) -> None:
    if len(statement.targets) > 1:
        raise not_yet(scope.op, statement, "several results of a call")
    if statement.op == "+=":
        raise not_yet(scope.op, statement, "a scatter (`+=`)")
    (target,) = statement.targets
    _check_target(scope, target)
    declared = results.get(target.tensor)
    _inline_calls(scope, statement.value)
    axes = _axes(scope, statement, target, declared)
    with scope.indices(axes):
        value = values.value(scope, statement.value, declared.dtype if declared else None)
        if declared is not None:
            value = values.fit(scope, statement.value, value, declared.dtype, f"`{target.tensor}`")
    if value.type == INDEX:
        value = constants.cast_integer(scope.facts.simplify(value), "i64")
    tensor = declared or _local(scope, target, axes, value.type, local_names)
    scope.env.tensors[target.tensor] = tensor
    scope.env.draft.stages.append(Stage(tensor.name, tuple(axes.values()), value, tensor.dtype, scope.line, scope.span))


def _inline_calls(scope: Scope, node: Node) -> None:
    """The stages of called operators come first, outside of the statement's indices."""
    if isinstance(node, Access) and isinstance(node.tensor, Apply):
        calls.inline(scope, node.tensor)
    for operand in operands(node):
        _inline_calls(scope, operand)


def _local(scope: Scope, target: Target, axes: dict[str, Axis], dtype: str, local_names: dict[str, str]) -> Tensor:
    name = scope.env.draft.unique(local_names.get(target.tensor, target.tensor))
    shape = tuple(a.extent for a in axes.values())
    return scope.env.draft.add(Tensor(name, dtype, shape, "local"))


def _check_target(scope: Scope, target: Target) -> None:
    if target.tensor in scope.env.tensors:
        role = "an input" if any(p.name == target.tensor for p in scope.op.params) else "defined already"
        raise mismatch(scope.op, target, f"`{target.tensor}` is {role}", "a tensor is defined once; give this one another name")
    seen: set[str] = set()
    for item in target.index:
        if not isinstance(item, Name) or item.id in (*scope.env.dims, *scope.env.attributes):
            raise mismatch(
                scope.op, item, "the target of `=` is indexed by plain indices", "compute the index where it is read"
            )
        if item.id in seen:
            raise mismatch(scope.op, item, f"the index `{item.id}` stands twice in the target", "use two indices and `select`")
        seen.add(item.id)


def _axes(scope: Scope, statement: Statement, target: Target, declared: Tensor | None) -> dict[str, Axis]:
    if declared is not None and len(declared.shape) != len(target.index):
        dims = ", ".join(map(show, declared.shape))
        raise mismatch(
            scope.op, target, f"`{target.tensor}` has {some(len(declared.shape), 'dim')} [{dims}], not {len(target.index)}"
        )
    axes: dict[str, Axis] = {}
    for number, item in enumerate(target.index):
        assert isinstance(item, Name)
        found = list(ranges.places(scope, statement.value, item.id))
        if declared is not None:
            found.insert(0, ranges.Place(declared.shape[number], item, True))
        extent = ranges.extent_of(scope, item.id, found)
        if extent is None:
            raise mismatch(
                scope.op, item, f"nothing says how far `{item.id}` runs", "let it stand alone in an index of the right side"
            )
        axes[item.id] = Axis(scope.axis_name(item.id), extent)
    return axes
