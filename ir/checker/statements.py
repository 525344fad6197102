"""Statements of an operator to stages of a program."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import cast

from uol.ir.checker import accesses, calls, constants, scatters, sorts, values
from uol.ir.checker.environment import Environment, Scope
from uol.ir.checker.messages import mismatch, some
from uol.ir.checker.name_rules import CASTS
from uol.ir.functions import FUNCTIONS
from uol.ir.integers.terms import compare, idx
from uol.ir.program.nodes import Axis, Call, Const, Expr, Load, Reduce, Role, Stage, Tensor, Var
from uol.ir.program.render import show
from uol.ir.syntax.span import Span
from uol.ir.syntax.surface import ORDERS, Access, Apply, Name, Node, Param, Reduction, Statement, Target, operands
from uol.ir.types import INDEX, is_integer


def declare(env: Environment, param: Param, name: str, role: Role) -> Tensor:
    """The tensor of a parameter, its dims evaluated; a dim that may be negative is checked at the call."""
    shape: list[Expr] = []
    for dim in param.dims:
        extent = env.facts.simplify(constants.constant(env, dim, INDEX))
        env.require(compare(">=", extent, Const(0)), dim, f"this dim is {show(extent)}, below zero")
        shape.append(extent)
    return Tensor(name, env.dtype(param.type, param), tuple(shape), role)


def run(env: Environment, lines: Sequence[int], spans: Sequence[Span], local_names: Mapping[str, str]) -> None:
    """Adds the stages of every statement to the draft. Results are declared in `env.tensors` under their names."""
    results = {r.name: env.tensors.pop(r.name) for r in env.op.results}
    body = _Body(results, local_names)
    for number, (line, span) in enumerate(zip(lines, spans, strict=True)):
        body.statement(Scope(env, line, span), env.op.body[number], env.op.body[number + 1 :])
    for param in env.op.results:
        if param.name not in env.tensors:
            raise mismatch(env.op, param, f"the result `{param.name}` is never defined", f"add `{param.name}[...] = ...`")


@dataclass(slots=True)
class _Body:
    """The statements of one operator: its declared results, what its locals are called in the program, and the tensors
    that `+=` has begun."""

    results: Mapping[str, Tensor]
    local_names: Mapping[str, str]
    sums: dict[str, scatters.Sum] = field(default_factory=dict)

    def statement(self, scope: Scope, statement: Statement, later: Sequence[Statement]) -> None:
        for target in statement.targets:
            _check_target(scope, target, plain=statement.op == "=", begun=target.tensor in self.sums)
        if isinstance(statement.value, Apply) and len(statement.targets) > 1:
            self.results_of_call(scope, statement, statement.value)
            return
        _inline_calls(scope, statement.value)
        if isinstance(statement.value, Reduction) and statement.value.op in ORDERS:
            sorts.order(scope, statement, self.define, self.declared)
        elif len(statement.targets) > 1:
            hint = "the call of an operator with several results, `topk` and `sort` give more than one value"
            raise mismatch(scope.op, statement, f"{len(statement.targets)} targets and one value", hint)
        elif statement.op == "+=":
            self.accumulate(scope, statement, tuple(later))
        else:
            self.single(scope, statement)

    def declared(self, target: Target) -> Tensor | None:
        """The result of that name."""
        return self.results.get(target.tensor)

    def define(self, scope: Scope, target: Target, axes: dict[str, Axis], dtype: str) -> Tensor:
        """The tensor of a target: the declared result, or a new local. From here on it may be read."""
        tensor = self.declared(target)
        if tensor is None:
            name = scope.env.draft.unique(self.local_names.get(target.tensor, target.tensor))
            tensor = scope.env.draft.add(Tensor(name, dtype, tuple(a.extent for a in axes.values()), "local"))
        scope.env.tensors[target.tensor] = tensor
        return tensor

    def single(self, scope: Scope, statement: Statement) -> None:
        """`target = value`"""
        (target,) = statement.targets
        declared = self.declared(target)
        axes = _axes(scope, [statement.value], target, declared)
        with scope.indices(axes):
            value = values.value(scope, statement.value, declared.dtype if declared else None)
            if declared is not None:
                value = values.fit(scope, statement.value, value, declared.dtype, f"`{target.tensor}`")
        if value.type == INDEX:
            value = constants.cast_integer(scope.facts.simplify(value), "i64")
        tensor = self.define(scope, target, axes, value.type)
        _learn_limit(scope, tensor, value)
        scope.env.draft.stages.append(Stage(tensor.name, tuple(axes.values()), value, tensor.dtype, scope.line, scope.span))

    def results_of_call(self, scope: Scope, statement: Statement, call: Apply) -> None:
        """`(a[i], b[i, j]) = operator(x)`: the results in order, each at its target's indices."""
        if call.fn in (*FUNCTIONS, *CASTS):
            raise mismatch(scope.op, statement, f"{len(statement.targets)} targets and one value")
        found = calls.inline(scope, call)
        if len(found) != len(statement.targets):
            raise mismatch(
                scope.op, statement, f"`{call.fn}` has {some(len(found), 'result')}, there are {len(statement.targets)} targets"
            )
        for target, tensor in zip(statement.targets, found, strict=True):
            declared = self.declared(target)
            read = Access(Name(target.tensor), target.index, span=call.span)
            if len(tensor.shape) != len(target.index):
                dims = ", ".join(map(show, tensor.shape))
                raise mismatch(scope.op, target, f"this result of `{call.fn}` has {some(len(tensor.shape), 'dim')} [{dims}]")
            if declared is not None and declared.dtype != tensor.dtype:
                message = f"`{target.tensor}` is {declared.dtype}, this result of `{call.fn}` is {tensor.dtype}"
                raise mismatch(scope.op, target, message)
            scope.env.tensors[target.tensor] = tensor  # so that the indices find what they run over
            axes = _axes(scope, [read], target, declared)
            made = self.define(scope, target, axes, tensor.dtype)
            value = Load(tensor.name, tuple(Var(a.name) for a in axes.values()), (), None, tensor.dtype)
            if tensor.name in scope.env.draft.limits:
                scope.env.draft.limits[made.name] = scope.env.draft.limits[tensor.name]
            scope.env.draft.stages.append(Stage(made.name, tuple(axes.values()), value, made.dtype, scope.line, scope.span))

    def accumulate(self, scope: Scope, statement: Statement, later: tuple[Statement, ...]) -> None:
        """`target += value`. The tensor may be read after the last of its statements."""
        (target,) = statement.targets
        wish = target.tensor
        more = any(t.tensor == wish for s in later for t in s.targets)
        declared = self.declared(target)
        begun = self.sums.get(wish)
        if begun is None:
            shape = declared.shape if declared else scatters.shape_of_local(scope, statement, later, dict(self.results))
            begun = scatters.Sum(shape, declared.dtype if declared else None)
        name = self.local_names.get(wish, wish)
        if not more and not begun.parts:
            scope.env.tensors[wish] = scatters.scatter(scope, statement, begun, declared or name)
            return
        part = scatters.scatter(scope, statement, begun, f"{name}_part")
        self.sums[wish] = begun = scatters.Sum(begun.shape, part.dtype, (*begun.parts, part.name))
        if more:
            return
        whole = declared or scope.env.draft.add(Tensor(scope.env.draft.unique(name), part.dtype, begun.shape, "local"))
        scope.env.draft.stages.append(scatters.total(scope, whole, begun.parts))
        scope.env.tensors[wish] = whole


def _learn_limit(scope: Scope, tensor: Tensor, value: Expr) -> None:
    """The place of an extremum lies within the axes that were searched; so does a copy of it."""
    limit = _limit(scope, value)
    if limit is not None:
        scope.env.draft.limits[tensor.name] = scope.facts.simplify(limit)


def _limit(scope: Scope, value: Expr) -> Expr | None:
    """A number below which a place lies, from 0 on; None for what is not known as a place."""
    match value:
        case Call(fn="cast", args=(place,), dtype=dtype) if is_integer(dtype) and dtype in sorts.PLACES:
            return _limit(scope, place)
        case Call(fn="select", args=(_, place, Const(value=0))) if (limit := _limit(scope, place)) is not None:
            return idx("max", limit, Const(1))
        case Load(tensor=name, guard=()):
            return scope.env.draft.limits.get(name)
        case Reduce(op="argmax" | "argmin", axes=axes):
            return reduce(lambda size, axis: idx("*", size, axis.extent), axes, cast(Expr, Const(1)))
    return None


def _inline_calls(scope: Scope, node: Node) -> None:
    """The stages of called operators come first, outside of the statement's indices."""
    if isinstance(node, Access) and isinstance(node.tensor, Apply):
        calls.single(scope, node.tensor)
    for operand in operands(node):
        _inline_calls(scope, operand)


def _check_target(scope: Scope, target: Target, *, plain: bool, begun: bool) -> None:
    if plain and begun:
        raise mismatch(scope.op, target, f"`{target.tensor}` is added to already", "write `+=`, or give this one another name")
    if target.tensor in scope.env.tensors:
        role = "an input" if any(p.name == target.tensor for p in scope.op.params) else "defined already"
        raise mismatch(scope.op, target, f"`{target.tensor}` is {role}", "a tensor is defined once; give this one another name")
    if not plain:
        return
    seen: set[str] = set()
    for item in target.index:
        if not isinstance(item, Name) or item.id in (*scope.env.dims, *scope.env.attributes):
            raise mismatch(
                scope.op, item, "the target of `=` is indexed by plain indices", "compute the index where it is read"
            )
        if item.id in seen:
            raise mismatch(scope.op, item, f"the index `{item.id}` stands twice in the target", "use two indices and `select`")
        seen.add(item.id)


def _axes(scope: Scope, parts: Sequence[Node], target: Target, declared: Tensor | None) -> dict[str, Axis]:
    """The indices of a target with what they run over, by the declared dims and by what the right side reads."""
    if declared is not None and len(declared.shape) != len(target.index):
        dims = ", ".join(map(show, declared.shape))
        raise mismatch(
            scope.op, target, f"`{target.tensor}` has {some(len(declared.shape), 'dim')} [{dims}], not {len(target.index)}"
        )
    axes: dict[str, Axis] = {}
    for number, item in enumerate(target.index):
        assert isinstance(item, Name)
        found = [p for part in parts for p in accesses.places(scope, part, item.id)]
        if declared is not None:
            found.insert(0, accesses.Place(declared.shape[number], item, True))
        axes[item.id] = accesses.axis_of(scope, item, found)
    return axes
