"""The end of an attention: the folds of a row over the threads that share it, then what uses folds and sums."""

from __future__ import annotations

from dataclasses import dataclass, replace

from uol.backends.simt.attention.elements import Level, lost_name, lost_names
from uol.backends.simt.attention.schedule import LANES_A_ROW, RowTile
from uol.backends.simt.attention.tiles import has_parts, thread_width
from uol.backends.simt.c_text.counters import Counter, is_multiple
from uol.backends.simt.c_text.printer import Printer
from uol.backends.simt.c_text.terms import Local
from uol.backends.simt.kernel.scope import Scope, all_of
from uol.backends.simt.rows.folds import identity
from uol.codegen.attention.parts import WidthPart, row_steps, width_parts
from uol.codegen.indexing.arithmetic import ZERO
from uol.codegen.specs.nodes import Attention, Fold
from uol.codegen.specs.steps import used_variables
from uol.ir.program.nodes import Call


@dataclass(frozen=True, slots=True)
class WidthPlan:
    """One loop over a thread's part of a width."""

    count: int
    level: Level


@dataclass(frozen=True, slots=True)
class EndPlan:
    """`folds` are joined by the threads of a row; `unseen` says that the row has no maximum, and then `lost` terms count:
    (what they are added to, how many of these a row has, the terms)."""

    folds: tuple[str, ...]
    unseen: str | None
    lost: tuple[tuple[str, int | None, str], ...]
    row: Level
    widths: tuple[WidthPlan, ...]


def plan_end(spec: Attention, tile: RowTile, rows: Counter, printer: Printer) -> EndPlan:
    """The epilogue's steps, each in the outermost loop that knows its axes."""
    spec = replace(spec, epilogue=tuple(rows.shortened(s) for s in spec.epilogue))
    names = printer.names
    folds = [s for s in spec.steps if isinstance(s, Fold)]
    sums = [f for f in folds if f is not spec.hi]
    bound = {f.name: f"{names.variable(f.name)}[ri]" for f in folds}
    bound |= {s.name: f"{names.variable(s.name)}[ri][wi]" for s in spec.sums}
    row = Scope(printer.bound(**bound))
    row.axes(rows, used_variables(spec.epilogue))
    in_parts = has_parts(spec)
    is_first, is_first_part = (Call("==", (Local(name), ZERO), "bool") for name in ("thread_col", "width0"))
    row.write(row_steps(spec), all_of((is_first, is_first_part) if in_parts else (is_first,)))
    unseen: str | None = None
    lost: list[tuple[str, int | None, str]] = []
    if spec.hi is not None and lost_names(spec):
        unseen = f"{names.variable(spec.hi.name)}[ri] == {printer.value(identity('max', spec.hi.dtype))}"
        lost += [(names.variable(f.name), None, names.variable(lost_name(spec, f))) for f in sums]
        lost += [(names.variable(s.name), thread_width(spec, s), names.variable(lost_name(spec, s))) for s in spec.sums]
    position = f"row0 + thread_row + ri * {tile.threads_rows}"
    beyond = None if is_multiple(rows.count, tile.rows) else printer.value(rows.count)
    return EndPlan(
        folds=tuple(names.variable(n) for n in (*(f.name for f in sums), *lost_names(spec))),
        unseen=unseen,
        lost=tuple(lost),
        row=Level(names.variable(rows.name), position, beyond, tuple(row.lines)),
        widths=tuple(_width(spec, part, row) for part in width_parts(spec)),
    )


def _width(spec: Attention, part: WidthPart, row: Scope) -> WidthPlan:
    width = Counter.over(part.width, "$at_width")
    scope = row.inner()
    scope.printer = width.known(scope.printer)
    steps = tuple(width.shortened(s) for s in part.steps)
    scope.axes(width, used_variables(steps))
    scope.write(steps)
    in_parts = has_parts(spec)
    beyond = None if is_multiple(width.count, LANES_A_ROW) and not in_parts else scope.printer.value(width.count)
    variable = scope.printer.names.variable(width.name)
    level = Level(variable, f"{'width0 + ' if in_parts else ''}thread_col + wi * {LANES_A_ROW}", beyond, tuple(scope.lines))
    return WidthPlan(thread_width(spec, part.sums[0]), level)
