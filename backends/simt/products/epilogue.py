"""The end of a product: what is done with each accumulator before it is stored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from uol.backends.simt.c_text.counters import Counter, is_multiple
from uol.backends.simt.c_text.printer import Printer
from uol.backends.simt.c_text.terms import Element, Known, Local, Scalar, plus, times
from uol.backends.simt.kernel.nodes import Declare, Leave, Loop, Statement
from uol.backends.simt.kernel.scope import Scope
from uol.backends.simt.products.schedule import Tile
from uol.codegen.indexing.arithmetic import ZERO
from uol.codegen.specs.nodes import Contract, Let, Step
from uol.codegen.specs.steps import used_variables
from uol.codegen.specs.traverse import map_step, mapped
from uol.ir.program.nodes import Call, Const, Expr, Var
from uol.ir.program.walk import rewrite
from uol.ir.types import INDEX

MI, NI = Local("mi"), Local("ni")
"""Which of a thread's rows, and of its columns."""


@dataclass(frozen=True, slots=True)
class _Side:
    """m or n: its axes, its counter, and how a thread steps over its part of the tile."""

    counter: Counter
    first: Expr
    loop: Local
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


def accumulator(spec: Contract, printer: Printer) -> Element:
    """The sum of a thread's row `mi` and column `ni`."""
    kind = Scalar(spec.acc_dtype)
    return Element(Element(Local(printer.names.variable(spec.acc), kind), MI, kind), NI, kind)


def epilogue(spec: Contract, m: Counter, n: Counter, tile: Tile, printer: Printer) -> tuple[Statement, ...]:
    """Two loops, and what stands before them. Each step goes to the outermost loop that knows its axes; the loop that can take
    more of them is the outer one: a channel's scale or bias is computed once a channel, whether the channels lie along m or
    along n."""
    spec = mapped(spec, step=lambda step: m.shortened(n.shortened(step)))
    along_m = _Side(m, plus(Local("m0"), Local("thread_m")), MI, tile.m, tile.thread_m)
    along_n = _Side(n, plus(Local("n0"), Local("thread_n")), NI, tile.n, tile.thread_n)
    m_first, n_first = _places(spec, along_m), _places(spec, along_n)
    outer, inner, places = along_n, along_m, n_first
    if len(m_first.outer) > len(n_first.outer):
        outer, inner, places = along_m, along_n, m_first

    acc = accumulator(spec, printer)
    scope = Scope(printer)
    scope.write(_of_accumulator(places.before, spec.acc, acc))
    needed = used_variables(spec.epilogue)
    outer_scope = _within(scope, outer, needed, _of_accumulator(places.outer, spec.acc, acc))
    inner_scope = _within(outer_scope, inner, needed, _of_accumulator(places.inner, spec.acc, acc))
    return (*scope.body, _loop(outer, (*outer_scope.body, _loop(inner, inner_scope.body))))


def _of_accumulator(steps: Sequence[Step], name: str, acc: Element) -> list[Step]:
    """The steps with an element of the registers as the sum."""

    def rule(expr: Expr) -> Expr | None:
        return acc if isinstance(expr, Var) and expr.name == name else None

    return [map_step(step, lambda expr: rewrite(expr, rule)) for step in steps]


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
    """The statements of a turn: the element's index, behind the last of which threads have nothing to do, and the steps."""
    inner, printer = scope.inner(), scope.printer
    name = printer.names.variable(side.counter.name)
    position = plus(side.first, times(side.loop, side.tile // side.thread))
    inner.put(Declare(name, Scalar(INDEX), Known(position, printer)))
    if not is_multiple(side.counter.count, side.tile):
        inner.put(Leave("continue", Known(Call(">=", (Local(name), side.counter.count), "bool"), printer)))
    inner.axes(side.counter, needed)
    inner.write(steps)
    return inner


def _loop(side: _Side, body: Sequence[Statement]) -> Loop:
    return Loop(side.loop.name, ZERO, Const(side.thread), tuple(body), unrolled=True, few=True)
