"""An operator once more, through the handles of `uol.ir.syntax.expression_handles` alone."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from uol.ir.syntax import surface
from uol.ir.syntax.builder import Construction
from uol.ir.syntax.expression_handles import Handle, Indexed, fn, node_of

OPERATORS: dict[str, Callable[..., Any]] = {
    **{"+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv, "%": operator.mod},
    **{"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "==": operator.eq, "!=": operator.ne},
    **{"and": operator.and_, "or": operator.or_},
}


def rebuilt(op: surface.Op) -> surface.Op:
    """The operator that handles build from its parts."""
    made = Construction()
    for type_set in op.domain:
        made.type(type_set.variable, *type_set.types)
    for param in op.params:
        made.input(param.name, _declared(param))
    for attribute in op.attributes:
        default = None if attribute.default is None else _value(attribute.default)
        made.attribute(attribute.name, attribute.type, default)  # type: ignore[arg-type]
    for result in op.results:
        made.result(result.name, _declared(result))
    made.where(*map(_value, op.where))
    for statement in op.body:
        _state(made, statement)
    return made.finish(op.name)


def _state(made: Construction, statement: surface.Statement) -> None:
    value = _value(statement.value)
    first, *more = [(made.tensor(t.tensor), tuple(map(_value, t.index))) for t in statement.targets]
    if more:
        made[tuple(tensor[index] for tensor, index in (first, *more))] = value
    elif statement.op == "+=":
        first[0][first[1]] += value
    else:
        first[0][first[1]] = value


def _value(node: surface.Node) -> Any:
    match node:
        case surface.Number(value=number) | surface.Bool(value=number):
            return number
        case surface.Name() | surface.Pack():
            return Handle(node)
        case surface.Unary(op=sign, arg=arg):
            return -_handle(arg) if sign == "neg" else ~_handle(arg)
        case surface.Binary(op=sign, left=left, right=right):
            return OPERATORS[sign](_handle(left), _value(right))
        case surface.Apply(fn=name, args=args, keywords=keywords):
            return getattr(fn, name)(*map(_value, args), **{k.name: _value(k.value) for k in keywords})
        case surface.Access(tensor=tensor, index=index, fill=fill):
            read = _handle(tensor)[tuple(map(_value, index))]
            return read if fill is None else read.otherwise(_value(fill))
        case surface.Reduction(op=name, binders=binders, args=args):
            return getattr(fn, name)[tuple(map(_binder, binders))](*map(_value, args))
    raise AssertionError(node)


def _handle(node: surface.Node) -> Handle:
    value = _value(node)
    return value if isinstance(value, Handle) else Handle(node_of(value))


def _binder(binder: surface.Binder) -> Handle:
    name = Handle(surface.Pack(binder.name) if binder.pack else surface.Name(binder.name))
    if binder.relation is None or binder.bound is None:
        return name
    compared: Handle = OPERATORS[binder.relation](name, _value(binder.bound))
    return compared


def _declared(param: surface.Param) -> Indexed:
    return Indexed(param.type, tuple(map(_value, param.dims)))
