"""A pass from kernel body to kernel body: what is known when the kernel is built is not asked for when it runs.

    const int warp_m = 0;  warp_m * 4096 + x    x                 a constant stands where it is used
    if (0 < 6) { ... }                          ...               a condition of numbers is decided
    for (pair = 0; pair < 1; ++pair) f(pair)    f(0)              an unrolled loop of one turn is its turn
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from uol.backends.simt.kernel.nodes import Block, Body, Declare, If, Loop, Statement, inner_bodies, statements_of, values_of
from uol.backends.simt.kernel.rewrite import substituted, with_values
from uol.backends.simt.kernel.uses import used_names
from uol.codegen.indexing.arithmetic import ONE, ZERO, folded
from uol.ir.program.nodes import Call, Const, Expr


def constants_folded(body: Body) -> Body:
    """The statements without what is known of them. What an expression of a spec names by itself stays declared."""
    known: dict[str, Expr] = {}
    found: list[Statement] = []
    for place, statement in enumerate(body):
        match statement:
            case Declare(value=Expr() as value, constant=True, extent=None) if (number := _number(value, known)) is not None:
                known[statement.name] = number
                if _is_named(statement.name, substituted(body[place + 1 :], known)):
                    found += substituted((statement,), known)
            case _:
                found += _folded(statement, known)
    return tuple(found)


def _is_named(name: str, body: Body) -> bool:
    return any(name in used_names(value) for statement in statements_of(body) for value in values_of(statement))


def _folded(statement: Statement, known: Mapping[str, Expr]) -> Body:
    match statement:
        case If(condition=condition, body=body, otherwise=otherwise):
            inner, other = (constants_folded(substituted(each, known)) for each in (body, otherwise))
            match _decided(with_values(condition, known)):
                case None:
                    return (If(with_values(condition, known), inner, other),)
                case holds:
                    return _inline(inner if holds else other)
        case Loop():
            (loop,) = substituted((statement,), known)
            assert isinstance(loop, Loop)
            inner = constants_folded(loop.body)
            if loop.unrolled and (loop.first, loop.extent) == (ZERO, ONE):
                turn = substituted(inner, {loop.variable: ZERO})
                if not _is_named(loop.variable, turn):
                    return _inline(constants_folded(turn))
            is_bare = loop.bare or loop.unrolled and loop.few
            return (replace(loop, body=inner, bare=is_bare and len(inner) == 1 and not inner_bodies(inner[0])),)
        case Block(body=body):
            return (Block(constants_folded(substituted(body, known))),)
    return substituted((statement,), known)


def _inline(body: Body) -> Body:
    """Statements in the place of a larger one, whose names stay their own."""
    return (Block(body),) if any(isinstance(each, Declare) for each in body) else body


def _number(value: Expr, known: Mapping[str, Expr]) -> Const | None:
    found = with_values(value, known)
    found = folded(found) if isinstance(found, Call) else found
    return found if isinstance(found, Const) else None


def _decided(condition: Expr) -> bool | None:
    match condition:
        case Call(fn="<", args=(Const(value=one), Const(value=other))):
            return one < other
    return None
