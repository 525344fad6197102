"""The end of a Contract: what is done with each accumulator before it is stored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from uol.backends.simt.c_text.counters import Counter, is_multiple
from uol.backends.simt.c_text.printer import Printer
from uol.backends.simt.kernel.scope import Scope
from uol.backends.simt.products.schedule import Tile
from uol.codegen.specs.nodes import Contract, Let, Step
from uol.codegen.specs.steps import used_variables
from uol.codegen.specs.traverse import mapped


@dataclass(frozen=True, slots=True)
class Level:
    """One loop over a thread's part of m or n: the element's index, its bound where threads may lie beyond it, and the
    statements that need no deeper index."""

    loop: str
    count: int
    variable: str
    value: str
    guard: str | None
    body: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class EpiloguePlan:
    """`before` both loops, then `outer`, then `inner` within it: a channel's scale or bias is computed once a channel,
    whether the channels lie along m or along n."""

    before: tuple[str, ...]
    outer: Level
    inner: Level


@dataclass(frozen=True, slots=True)
class _Side:
    """m or n: its axes, its counter, and how a thread steps over its part of the tile."""

    counter: Counter
    first: str
    loop: str
    tile: int
    thread: int

    @property
    def axes(self) -> frozenset[str]:
        return frozenset(a.name for a in self.counter.axes)


@dataclass(frozen=True, slots=True)
class _Places:
    """The steps by the loop that they belong to."""

    before: tuple[Step, ...]
    outer: tuple[Step, ...]
    inner: tuple[Step, ...]


def plan_epilogue(spec: Contract, m: Counter, n: Counter, tile: Tile, printer: Printer) -> EpiloguePlan:
    """Each step goes to the outermost loop that knows its axes; the loop that can take more of them is the outer one."""
    spec = mapped(spec, step=lambda step: m.shortened(n.shortened(step)))
    along_m = _Side(m, "m0 + thread_m", "mi", tile.m, tile.thread_m)
    along_n = _Side(n, "n0 + thread_n", "ni", tile.n, tile.thread_n)
    m_first, n_first = _places(spec, along_m), _places(spec, along_n)
    outer, inner, places = along_n, along_m, n_first
    if len(m_first.outer) > len(n_first.outer):
        outer, inner, places = along_m, along_n, m_first

    scope = Scope(printer.bound(**{spec.acc: f"{printer.names.variable(spec.acc)}[mi][ni]"}))
    scope.write(places.before)
    needed = used_variables(spec.epilogue)
    outer_scope = _within(scope, outer, needed, places.outer)
    inner_scope = _within(outer_scope, inner, needed, places.inner)
    return EpiloguePlan(tuple(scope.lines), _level(outer, outer_scope), _level(inner, inner_scope))


def _places(spec: Contract, outer: _Side) -> _Places:
    batch = frozenset(a.name for a in spec.batch)
    before: list[Step] = []
    each_outer: list[Step] = []
    each_inner: list[Step] = []
    for step in spec.epilogue:
        used = used_variables([step])
        axes = frozenset(step.axes) if isinstance(step, Let) else None
        if axes is None or spec.acc in used or used & _names(each_inner) or not axes <= batch | outer.axes:
            each_inner.append(step)
        elif axes <= batch and not used & _names(each_outer):
            before.append(step)
        else:
            each_outer.append(step)
    return _Places(tuple(before), tuple(each_outer), tuple(each_inner))


def _names(steps: Sequence[Step]) -> frozenset[str]:
    return frozenset(s.name for s in steps if isinstance(s, Let))


def _within(scope: Scope, side: _Side, needed: frozenset[str], steps: Sequence[Step]) -> Scope:
    inner = scope.inner()
    inner.axes(side.counter, needed)
    inner.write(steps)
    return inner


def _level(side: _Side, scope: Scope) -> Level:
    counter = side.counter
    return Level(
        loop=side.loop,
        count=side.thread,
        variable=scope.printer.names.variable(counter.name),
        value=f"{side.first} + {side.loop} * {side.tile // side.thread}",
        guard=None if is_multiple(counter.count, side.tile) else scope.printer.value(counter.count),
        body=tuple(scope.lines),
    )
