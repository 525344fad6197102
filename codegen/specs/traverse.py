"""Walking and rewriting expressions of specs and programs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from uol.codegen.partition.grouped_value import Segmented
from uol.codegen.program.scans import Running
from uol.codegen.specs.nodes import Guard, Holds, Read, Within
from uol.ir.program.nodes import Axis, Call, Expr, Load, Order, Reduce, Scatter, Stage, Var
from uol.ir.program.walk import children as operands


def children(expr: Expr) -> tuple[Expr, ...]:
    """The direct operands of a node, guards and fills included."""
    if isinstance(expr, Read):
        return (expr.offset, *guard_operands(expr.guard), *((expr.fill,) if expr.fill is not None else ()))
    if isinstance(expr, Running):
        return expr.along, expr.body
    if isinstance(expr, Segmented):
        return expr.at, expr.key, expr.of, expr.value
    return operands(expr)


def stage_expressions(stage: Stage) -> tuple[Expr, ...]:
    """What a stage evaluates: its value; of a scatter, where it goes and when, too."""
    return (stage.value, *stage.target, *stage.guard) if isinstance(stage, Scatter) else (stage.value,)


def guard_operands(guards: tuple[Guard, ...]) -> tuple[Expr, ...]:
    out: list[Expr] = []
    for guard in guards:
        match guard:
            case Within(value, low, high):
                out += [e for e in (value, low, high) if e is not None]
            case Holds(condition):
                out.append(condition)
    return tuple(out)


def walk(expr: Expr) -> Iterator[Expr]:
    """The node and everything below it, parents first."""
    yield expr
    for child in children(expr):
        yield from walk(child)


def rewrite(expr: Expr, rule: Callable[[Expr], Expr | None]) -> Expr:
    """The expression with every outermost node for which `rule` gives a replacement exchanged."""
    replaced = rule(expr)
    if replaced is not None:
        return replaced

    def go(e: Expr) -> Expr:
        return rewrite(e, rule)

    def maybe(e: Expr | None) -> Expr | None:
        return None if e is None else go(e)

    match expr:
        case Call(args=args):
            return replace(expr, args=tuple(go(a) for a in args))
        case Load(index=index, guard=guard, fill=fill):
            return replace(expr, index=tuple(go(i) for i in index), guard=tuple(go(g) for g in guard), fill=maybe(fill))
        case Reduce(axes=axes, body=body, where=where):
            bounds = tuple(Axis(a.name, go(a.extent)) for a in axes)
            return replace(expr, axes=bounds, body=go(body), where=tuple(go(w) for w in where))
        case Order(axis=axis, body=body, place=place):
            return replace(expr, axis=Axis(axis.name, go(axis.extent)), body=go(body), place=_still(go(place)))
        case Running(along=along, body=body):
            return replace(expr, along=_still(go(along)), body=go(body))
        case Segmented(at=at, key=key, of=of, value=value):
            inner = go(value)
            assert isinstance(inner, Reduce)
            return replace(expr, at=_still(go(at)), key=go(key), of=_still(go(of)), value=inner)
        case Read(offset=offset, strides=strides, guard=guards, fill=fill):
            return replace(
                expr,
                offset=go(offset),
                strides=tuple((name, maybe(s)) for name, s in strides),
                guard=tuple(rewrite_guard(g, go) for g in guards),
                fill=maybe(fill),
            )
    return expr


def _still(index: Expr) -> Var:
    assert isinstance(index, Var), "what a stage is ordered or summed along is an index of it"
    return index


def rewrite_guard(guard: Guard, go: Callable[[Expr], Expr]) -> Guard:
    match guard:
        case Within(value, low, high):
            return Within(go(value), None if low is None else go(low), None if high is None else go(high))
        case Holds(condition):
            return Holds(go(condition))


def substitute(expr: Expr, values: Mapping[str, Expr]) -> Expr:
    """The expression with variables exchanged by name."""
    return rewrite(expr, lambda e: values.get(e.name) if isinstance(e, Var) else None)


def variables(expr: Expr) -> frozenset[str]:
    """The names of all variables in an expression."""
    return frozenset(e.name for e in walk(expr) if isinstance(e, Var))
