"""Loops over the columns of a row, and where they end."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from uol.backends.simt.c_text.printer import Printer
from uol.codegen.indexing.arithmetic import ZERO, add, mul
from uol.codegen.specs.ends import End
from uol.ir.program.nodes import Axis, Expr, Var

END = "end"
"""The variable that says where the columns of a row end, or its run."""


@dataclass(frozen=True, slots=True)
class Loop:
    """`for (variable = first; variable < extent; step)`"""

    variable: str
    first: str
    extent: str
    step: str


def end_of_row(end: End, printer: Printer) -> str:
    """Where the columns of a row end."""
    return f"const {printer.index_type} {END} = {printer.value(end.count)};"


def loops_over(named: Iterable[tuple[str, Axis]], end: End | None, printer: Printer) -> tuple[Loop, ...]:
    """The loops of a thread over axes, the first of which may have an end."""
    return tuple(
        Loop(name, "0", END if end is not None and axis == end.axis else printer.value(axis.extent), f"++{name}")
        for name, axis in named
    )


def row_major(axes: tuple[Axis, ...]) -> Expr:
    """The linear index over axes, the last fastest."""
    total: Expr = ZERO
    for axis in axes:
        total = add(mul(total, axis.extent), Var(axis.name))
    return total
