"""Loops over the columns of a row, and where they end."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from uol.backends.simt.c_text.terms import Local, Scalar
from uol.backends.simt.kernel.nodes import Block, Declare, Loop, Statement
from uol.backends.simt.kernel.scope import Scope
from uol.codegen.indexing.arithmetic import ZERO, add, mul
from uol.codegen.specs.ends import End
from uol.ir.program.nodes import Axis, Expr, Var
from uol.ir.types import INDEX

END = "end"
"""The variable that says where the columns of a row end, or its run."""


ROW_END = Local(END)


def end_of_row(end: End, scope: Scope) -> Declare:
    """Where the columns of a row end."""
    return Declare(END, Scalar(INDEX), scope.known(end.count))


def loops_over(named: Iterable[tuple[str, Axis]], end: End | None, scope: Scope) -> tuple[Loop, ...]:
    """The loops of a thread over axes, the first of which may have an end; outer ones first, nothing in them."""
    ends = {} if end is None else {end.axis: ROW_END}
    return tuple(Loop(name, ZERO, ends.get(axis) or scope.known(axis.extent), ()) for name, axis in named)


def nested(loops: Sequence[Loop], body: Sequence[Statement]) -> Statement:
    """The statements within the loops."""
    if not loops:
        return Block(tuple(body))
    *outer, last = loops
    found: Statement = replace(last, body=tuple(body))
    for loop in reversed(outer):
        found = replace(loop, body=(found,))
    return found


def row_major(axes: tuple[Axis, ...]) -> Expr:
    """The linear index over axes, the last fastest."""
    total: Expr = ZERO
    for axis in axes:
        total = add(mul(total, axis.extent), Var(axis.name))
    return total
