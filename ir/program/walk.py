"""Walking and rewriting expressions, of programs and of kernels: every node says itself what it is made of."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from uol.ir.program.nodes import Axis, Expr, Load, Order, Put, Reduce, Scatter, Stage, Var


def walk(expr: Expr) -> Iterator[Expr]:
    """The node and everything below it, parents first."""
    pending = [expr]
    while pending:
        found = pending.pop()
        yield found
        pending.extend(reversed(found.children))


def rewrite(expr: Expr, rule: Callable[[Expr], Expr | None]) -> Expr:
    """The expression with every outermost node for which `rule` gives a replacement exchanged."""
    replaced = rule(expr)
    return expr.map_children(lambda child: rewrite(child, rule)) if replaced is None else replaced


def substitute(expr: Expr, values: Mapping[str, Expr]) -> Expr:
    """The expression with variables exchanged by name."""
    if isinstance(expr, Var):
        return values.get(expr.name, expr)
    return expr.map_children(lambda child: substitute(child, values))


def variables(expr: Expr) -> frozenset[str]:
    """The names of all variables in an expression."""
    return frozenset(e.name for e in walk(expr) if isinstance(e, Var))


def bound(expr: Expr) -> frozenset[str]:
    """The names of the axes that reductions and sorts within an expression bind."""
    return frozenset(a.name for e in walk(expr) for a in axes_of(e))


def axes_of(expr: Expr) -> tuple[Axis, ...]:
    """The axes that a node itself binds."""
    match expr:
        case Reduce(axes=axes):
            return axes
        case Order(axis=axis):
            return (axis,)
    return ()


def map_stage(stage: Stage, change: Callable[[Expr], Expr]) -> Stage:
    """The stage with everything that it evaluates exchanged for `change` of it; of a scatter, where it goes and when, too."""
    match stage:
        case Scatter(value=value, target=target, guard=guard):
            return replace(stage, value=change(value), target=tuple(map(change, target)), guard=tuple(map(change, guard)))
        case Put(value=value, target=target):
            return replace(stage, value=change(value), target=tuple(map(change, target)))
    return replace(stage, value=change(stage.value))


def stage_expressions(stage: Stage) -> tuple[Expr, ...]:
    """What a stage evaluates: its value; of a scatter, where it goes and when, too."""
    match stage:
        case Scatter(value=value, target=target, guard=guard):
            return value, *target, *guard
        case Put(value=value, target=target):
            return value, *target
    return (stage.value,)


def stored(stage: Stage) -> str:
    """The tensor that holds what a stage gives."""
    return stage.into if isinstance(stage, Put) else stage.name


def loads(stage: Stage) -> list[Load]:
    """Every access of a stage, those within indices included."""
    return [node for part in stage_expressions(stage) for node in walk(part) if isinstance(node, Load)]
