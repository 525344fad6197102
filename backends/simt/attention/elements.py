"""What becomes of a thread's dots, element by element: the maximum of a tile of cols, then weights and folds.

A row that has met nothing but -inf has no maximum to be relative to: exp(-inf - -inf) is NaN, and must not be added to what
may yet be finite. Such terms are kept apart, as `lost`, and count if the maximum stays at -inf.
There are none where all terms vanish by themselves (`vanishes_without_maximum`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from uol.backends.simt.attention.schedule import LANES_A_ROW, RowTile
from uol.backends.simt.c_text.counters import Counter, is_multiple
from uol.backends.simt.c_text.printer import Printer, literal
from uol.backends.simt.kernel.scope import Scope
from uol.backends.simt.rows.folds import identity
from uol.codegen.attention.parts import vanishes_without_maximum, weights_of
from uol.codegen.indexing.arithmetic import ONE, sub
from uol.codegen.specs.nodes import Attention, Fold, Let, Weighted
from uol.codegen.specs.steps import used_variables
from uol.ir.program.nodes import Const, Expr, Var
from uol.ir.program.walk import variables


@dataclass(frozen=True, slots=True)
class Level:
    """`variable = value` for one row or col of a thread; `guard`: the first that does not exist, where there may be one."""

    variable: str
    value: str
    guard: str | None
    body: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Register:
    """`name[ri]`, a value of each of a thread's rows; begins at `first`, or at 0."""

    ctype: str
    name: str
    line: int | None
    first: str | None = None


@dataclass(frozen=True, slots=True)
class MaximumPlan:
    """The maximum of a tile: `body` takes one col into `highest`; `rescaled` are the folds that are relative to it;
    `has_lost`: some terms are kept apart while it is `none`."""

    ctype: str
    name: str
    one: str
    none: str
    body: tuple[str, ...]
    rescaled: tuple[str, ...]
    has_lost: bool


@dataclass(frozen=True, slots=True)
class ScoresPlan:
    """`registers` live as long as the block; `row` and `col` are the levels of the loops, the latter with the weights. There is
    no `row` where nothing asks for its number."""

    registers: tuple[Register, ...]
    row: Level | None
    col: Level
    maximum: MaximumPlan | None


def plan_scores(spec: Attention, tile: RowTile, rows: Counter, cols: Counter, printer: Printer) -> ScoresPlan:
    """The steps between dots and sums."""
    spec = replace(spec, steps=tuple(rows.shortened(cols.shortened(s)) for s in spec.steps))
    lets = {s.name: s for s in spec.steps if isinstance(s, Let)}
    row = Scope(printer.bound(**{d.name: f"{printer.names.variable(d.name)}[ri][ci]" for d in spec.dots}))
    row.axes(rows, used_variables(spec.steps))
    maximum = _maximum(spec, lets, row, cols)
    if spec.hi is not None:
        row.printer = row.printer.bound(**{spec.hi.name: f"{printer.names.variable(spec.hi.name)}[ri]"})
    beyond = None if is_multiple(cols.count, tile.cols) else printer.value(cols.count)
    at_col = f"col0 + thread_col + ci * {LANES_A_ROW}"
    level = Level(printer.names.variable(rows.name), _row_at(rows, tile, printer), None, tuple(row.lines))
    return ScoresPlan(
        registers=_registers(spec, printer),
        row=level if row.lines or rows.name in used_variables(spec.steps) else None,
        col=Level(printer.names.variable(cols.name), at_col, beyond, _weights(spec, tile, lets, row, cols)),
        maximum=maximum,
    )


def lost_names(spec: Attention) -> tuple[str, ...]:
    """Where terms of rows without a maximum are kept: one place for a weight, whoever sums it."""
    if spec.hi is None or vanishes_without_maximum(spec):
        return ()
    parts: tuple[Fold | Weighted, ...] = (*_folds(spec), *spec.sums)
    return tuple(dict.fromkeys(lost_name(spec, part) for part in parts))


def lost_name(spec: Attention, part: Fold | Weighted) -> str:
    """The place of one fold or sum."""
    if isinstance(part, Weighted):
        return f"${part.weight}_lost"
    is_weight = isinstance(part.value, Var) and part.value.name in {w.name for w in weights_of(spec)}
    return f"${part.value.name if is_weight and isinstance(part.value, Var) else part.name}_lost"


def _folds(spec: Attention) -> tuple[Fold, ...]:
    """The sums of a row."""
    return tuple(s for s in spec.steps if isinstance(s, Fold) and s.op != "max")


def _row_at(rows: Counter, tile: RowTile, printer: Printer) -> str:
    """Beyond the last row, the last: it is not stored again."""
    position = f"row0 + thread_row + ri * {tile.threads_rows}"
    if is_multiple(rows.count, tile.rows):
        return position
    return f"uol::min({position}, {printer.argument(sub(rows.count, ONE))})"


def _registers(spec: Attention, printer: Printer) -> tuple[Register, ...]:
    found = [Register(printer.ctype(f.dtype), printer.names.variable(f.name), f.line) for f in _folds(spec)]
    if spec.hi is not None:
        ctype = printer.ctype(spec.hi.dtype)
        first = printer.value(identity("max", spec.hi.dtype))
        found.insert(0, Register(ctype, printer.names.variable(spec.hi.name), spec.hi.line, first))
        found += [Register(ctype, printer.names.variable(name), None) for name in lost_names(spec)]
    return tuple(found)


def _maximum(spec: Attention, lets: dict[str, Let], row: Scope, cols: Counter) -> MaximumPlan | None:
    hi = next((s for s in spec.steps if s is spec.hi and isinstance(s, Fold)), None)
    if hi is None:
        return None
    scope = _col_scope(row, cols, [hi.value], lets)
    scope.add(f"highest = uol::max(highest, {scope.expression(hi.value)});", hi.line)
    printer = row.printer
    return MaximumPlan(
        ctype=printer.ctype(hi.dtype),
        name=printer.names.variable(hi.name),
        one=literal(Const(1.0, hi.dtype)),
        none=printer.value(identity("max", hi.dtype)),
        body=tuple(scope.lines),
        rescaled=tuple(printer.names.variable(f.name) for f in _folds(spec)),
        has_lost=bool(lost_names(spec)),
    )


def _weights(spec: Attention, tile: RowTile, lets: dict[str, Let], row: Scope, cols: Counter) -> tuple[str, ...]:
    weights, folds = weights_of(spec), _folds(spec)
    values: dict[str, Expr] = {lost_name(spec, f): f.value for f in folds}
    values |= {f"${w.name}_lost": Var(w.name, w.dtype) for w in weights}
    scope = _col_scope(row, cols, list(values.values()), lets)
    names = scope.printer.names
    zero = literal(Const(0.0, weights[0].dtype))
    kept_apart = lost_names(spec)
    for name in kept_apart:
        scope.add(f"{names.variable(name)}[ri] += unseen ? {scope.expression(values[name])} : {zero};")
    chosen = f"unseen ? {zero} : " if kept_apart else ""
    for fold in folds:
        scope.add(f"{names.variable(fold.name)}[ri] += {chosen}{scope.expression(fold.value)};", fold.line)
    for weight in weights:
        place = f"[thread_row + ri * {tile.threads_rows}][thread_col + ci * {LANES_A_ROW}]"
        scope.add(f"{names.variable(f'${weight.name}_tile')}{place} = {chosen}{names.variable(weight.name)};")
    return tuple(scope.lines)


def _col_scope(row: Scope, cols: Counter, values: Sequence[Expr], lets: dict[str, Let]) -> Scope:
    """A scope for one col, with what values need of its axes and lets."""
    needed = _behind(values, lets)
    scope = row.inner()
    scope.axes(cols, used_variables(needed) | frozenset().union(*map(variables, values)))
    scope.write(needed)
    return scope


def _behind(values: Iterable[Expr], lets: dict[str, Let]) -> tuple[Let, ...]:
    """The lets that values need, in order."""
    found: set[str] = set()
    pending = [name for value in values for name in variables(value)]
    while pending:
        name = pending.pop()
        if name in lets and name not in found:
            found.add(name)
            pending += variables(lets[name].value)
    return tuple(let for name, let in lets.items() if name in found)
