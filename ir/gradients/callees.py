"""Calls of other operators: what their results are, and a text in which every call is a statement of its own.

y[n, c] = x[n, c] - f(x)[n, c / 4]     becomes     f_y[n, g] = f(x)[n, g];  y[n, c] = x[n, c] - f_y[n, c / 4]
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from uol.ir.checker.messages import closest, mismatch
from uol.ir.gradients.text.inference import Dims, Types
from uol.ir.gradients.text.integer_text import times
from uol.ir.gradients.text.local_inference import learn
from uol.ir.gradients.text.naming import Names
from uol.ir.gradients.text.substitution import Item
from uol.ir.operators import Operators
from uol.ir.syntax.surface import Access, Apply, Exchange, Expr, Name, Node, Number, Op, Pack, Statement, Target, exchange
from uol.ir.types import base_type


@dataclass(frozen=True, slots=True)
class Result:
    """What a call gives: a name for it, its type and its dims, in the words of the caller."""

    name: str
    type: str
    dims: Dims


def callee(op: Op, call: Apply, library: Operators) -> Op:
    """The operator that is called. Raises TypeCheckError where there is none of that name."""
    found = library.get(call.fn)
    if found is None:
        raise mismatch(op, call, f"unknown operator `{call.fn}`", closest(call.fn, (o.name for o in library)))
    if len(found.params) != len(call.args):
        raise mismatch(op, call, f"`{call.fn}` takes {len(found.params)} tensors, not {len(call.args)}")
    return found


def integers_in(found: Op, call: Apply, types: Types) -> tuple[str, ...]:
    """The type variables of a callee that stand for floats and others, and for no floats in a call."""
    pairs = zip(found.params, call.args, strict=True)
    passed = {base_type(p.type): types.tensors[a.id] for p, a in pairs if isinstance(a, Name)}
    return tuple(name for name in found.mixed_variables if name in passed and not types.is_float(passed[name]))


def call_of(statement: Statement) -> Apply | None:
    """The call that a statement consists of, at the plain indices of its targets."""
    value = statement.value
    if statement.op != "=":
        return None
    if len(statement.targets) > 1:
        return value if isinstance(value, Apply) else None
    if isinstance(value, Access) and isinstance(value.tensor, Apply) and value.fill is None:
        return value.tensor if value.index == statement.targets[0].index else None
    return None


def results_of(found: Op, call: Apply, types: Types) -> tuple[Result, ...]:
    """The results of a call whose tensors are known."""
    names: dict[str, Expr] = {}
    packs: dict[str, Dims] = {}
    variables: dict[str, str] = {}
    for param, argument in zip(found.params, call.args, strict=True):
        assert isinstance(argument, Name)
        variables.setdefault(param.type, types.tensors[argument.id])
        _bind(param.dims, types.dims[argument.id], names, packs)
    for attribute in found.attributes:
        given = next((k.value for k in call.keywords if k.name == attribute.name), attribute.default)
        if given is not None:
            names[attribute.name] = given if given is not attribute.default else _resolved(given, names, packs)
    return tuple(
        Result(f"{found.name}_{r.name}", _type(r.type, variables, types), _dims(r.dims, names, packs)) for r in found.results
    )


def _type(declared: str, variables: Mapping[str, str], types: Types) -> str:
    """A type of the callee in the words of the caller."""
    found = variables.get(base_type(declared), base_type(declared))
    return found if declared == base_type(declared) else types.accumulator(found)


def _bind(dims: Dims, passed: Dims, names: dict[str, Expr], packs: dict[str, Dims]) -> None:
    at = next((n for n, d in enumerate(dims) if isinstance(d, Pack)), None)
    pairs = list(zip(dims, passed, strict=False))
    if at is not None:
        after = len(dims) - at - 1
        pack = dims[at]
        assert isinstance(pack, Pack)
        packs.setdefault(pack.id, passed[at : len(passed) - after])
        pairs = [*zip(dims[:at], passed[:at], strict=False), *zip(dims[at + 1 :], passed[len(passed) - after :], strict=False)]
    for dim, extent in pairs:
        if isinstance(dim, Name) and not isinstance(extent, Pack):
            names.setdefault(dim.id, extent)


def _dims(dims: Dims, names: Mapping[str, Expr], packs: Mapping[str, Dims]) -> Dims:
    out: list[Item] = []
    for dim in dims:
        out += packs[dim.id] if isinstance(dim, Pack) else (_resolved(dim, names, packs),)
    return tuple(out)


def _resolved(expr: Expr, names: Mapping[str, Expr], packs: Mapping[str, Dims]) -> Expr:
    def rule(node: Node) -> Expr | None:
        if isinstance(node, Name):
            return names.get(node.id)
        if isinstance(node, Apply) and node.fn == "count" and isinstance(node.args[0], Pack):
            size: Expr = Number(1)
            for dim in packs[node.args[0].id]:
                size = times(size, Apply("count", (dim,)) if isinstance(dim, Pack) else dim)
            return size
        return None

    return exchange(expr, rule)


def calls_apart(op: Op, library: Operators, types: Types, names: Names) -> Op:
    """The operator with every call in a statement of its own; the same call twice is one. Learns the types on the way."""
    made: dict[Apply, str] = {}
    body: list[Statement] = []
    for number, statement in enumerate(op.body):
        before, own = _apart(op, statement, library, types, names, made)
        if call_of(own) is None:
            learn(types, own, op.body[number + 1 :])  # what is only added to is as large as its later readers run
        body += [*before, own]
    return replace(op, body=tuple(body))


def _apart(
    op: Op, statement: Statement, library: Operators, types: Types, names: Names, made: dict[Apply, str]
) -> tuple[list[Statement], Statement]:
    """The calls of a statement, and what is left of it."""
    before: list[Statement] = []

    def define(call: Apply) -> str:
        flat = flattened(call)
        if flat not in made:
            (result,) = results_of(callee(op, flat, library), flat, types)
            name = names.fresh(result.name)
            index: list[Item] = []
            for dim in result.dims:
                index.append(names.index_of(dim, [i.id for i in index if isinstance(i, Name | Pack)]))
            before.append(Statement((Target(name, tuple(index)),), "=", Access(flat, tuple(index)), span=statement.span))
            types.tensors[name], types.dims[name] = result.type, result.dims
            made[flat] = name
        return made[flat]

    def flattened(call: Apply) -> Apply:
        return replace(call, args=tuple(Name(define(a)) if isinstance(a, Apply) else a for a in call.args))

    def rule(node: Node) -> Expr | None:
        if isinstance(node, Access) and isinstance(node.tensor, Apply):
            return replace(node, tensor=Name(define(node.tensor)), index=_moved(node.index, rule))
        return None

    direct = call_of(statement)
    if direct is not None:
        flat = flattened(direct)
        value: Expr = flat if len(statement.targets) > 1 else Access(flat, statement.targets[0].index)
        statement = replace(statement, value=value)
        for target, result in zip(statement.targets, results_of(callee(op, flat, library), flat, types), strict=True):
            types.tensors.setdefault(target.tensor, result.type)
            types.dims.setdefault(target.tensor, result.dims)
        return before, statement
    return before, replace(statement, value=exchange(statement.value, rule))


def _moved(index: Sequence[Item], rule: Exchange) -> tuple[Item, ...]:
    return tuple(i if isinstance(i, Pack) else exchange(i, rule) for i in index)
