"""The end of a Contract: what is done with each accumulator before it is stored."""

from __future__ import annotations

from dataclasses import dataclass

from uol.backends.simt.c_printer import Printer
from uol.backends.simt.flat import Counter
from uol.backends.simt.schedules import Tile
from uol.backends.simt.scope import Scope
from uol.backends.simt.steps import used_variables
from uol.codegen.spec import Contract, Let, Step, Store


@dataclass(frozen=True, slots=True)
class Level:
    """One loop over a thread's part of m or n: the element's index, its bound where threads may lie beyond it, and the
    statements that need no deeper index."""

    variable: str
    value: str
    guard: int | None
    body: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class EpiloguePlan:
    """`before` the loops; then over n, then over m: a channel's scale or bias is read once for all of a thread's m."""

    before: tuple[str, ...]
    n: Level
    m: Level


def plan_epilogue(spec: Contract, m: Counter, n: Counter, tile: Tile, printer: Printer) -> EpiloguePlan:
    """Each step goes to the outermost loop that knows its axes."""
    over_batch = {a.name for a in spec.batch}
    over_n = over_batch | {a.name for a in spec.n}
    outside: list[Step] = []
    each_n: list[Step] = []
    each_m: list[Step] = []
    for step in spec.epilogue:
        axes = set(step.axes) if isinstance(step, Let) else None
        uses_acc = bool(used_variables([step]) & ({spec.acc} | {s.name for s in each_m if isinstance(s, Let)}))
        if axes is None or uses_acc or not axes <= over_n:
            each_m.append(step)
        elif axes <= over_batch and not _depends(step, each_n):
            outside.append(step)
        else:
            each_n.append(step)

    printer = printer.bound(**{spec.acc: f"{printer.names.variable(spec.acc)}[i][j]"})
    scope = Scope(printer)
    _write(outside, scope)
    n_scope = scope.inner()
    _declare(n, used_variables(spec.epilogue), n_scope)
    _write(each_n, n_scope)
    m_scope = n_scope.inner()
    _declare(m, used_variables(spec.epilogue), m_scope)
    _write(each_m, m_scope)
    return EpiloguePlan(
        tuple(scope.lines),
        _level(n, "n0 + thread_n", "j", tile.n // tile.thread_n, tile.n, n_scope),
        _level(m, "m0 + thread_m", "i", tile.m // tile.thread_m, tile.m, m_scope),
    )


def _depends(step: Step, earlier: list[Step]) -> bool:
    return bool(used_variables([step]) & {s.name for s in earlier if isinstance(s, Let)})


def _declare(counter: Counter, needed: frozenset[str], scope: Scope) -> None:
    for line in counter.declarations(scope.printer, needed):
        scope.add(line)


def _write(steps: list[Step], scope: Scope) -> None:
    for step in steps:
        match step:
            case Let():
                scope.let(step)
            case Store():
                scope.store(step)


def _level(counter: Counter, first: str, loop: str, step: int, tile: int, scope: Scope) -> Level:
    name = scope.printer.names.variable(counter.name)
    return Level(name, f"{first} + {loop} * {step}", counter.count if counter.count % tile else None, tuple(scope.lines))
