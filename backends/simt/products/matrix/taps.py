"""Statements that ask whether an element of an operand is there of which some are not, those beside a picture."""

from __future__ import annotations

from dataclasses import replace
from functools import reduce

from uol.backends.simt.c_text.counters import Counter
from uol.backends.simt.c_text.terms import Element, Known, Local, Primitive, Scalar, Word
from uol.backends.simt.kernel.nodes import Assign, Body, Declare, Loop
from uol.backends.simt.kernel.scope import Scope, all_of
from uol.backends.simt.products.matrix.operand import Side
from uol.backends.simt.products.matrix.place import EACH, Place
from uol.backends.simt.products.matrix.windows import Window
from uol.codegen.indexing.arithmetic import ZERO, add, folded, mul, size
from uol.ir.program.nodes import Call, Expr, Var
from uol.ir.program.walk import substitute
from uol.ir.types import INDEX


def taps_of_rows(place: Place, side: Side, turns: int) -> Declare:
    """`unsigned x_taps[4] = {};`: which taps each row of a thread has."""
    return Declare(place.name(side, "taps"), Word(), extent=turns, zeroed=True)


def taps_of_row(place: Place, side: Side) -> Body:
    """What sets the bits of the row whose number is in `x_outer`."""
    window, row = _window(side), _row(side)
    scope = Scope(row.known(place.printer))
    scope.axes(row, window.asked)
    inner = scope.printer
    for axis in window.taps:
        inner = Counter(axis.name, (axis,)).known(inner)
    steps = (size(window.taps[n + 1 :]) for n in range(len(window.taps)))
    number = reduce(add, (mul(Var(a.name, INDEX), step) for a, step in zip(window.taps, steps, strict=True)), ZERO)
    bit = Primitive("bit", (), (Known(number, inner), Known(all_of(window.conditions), inner)), Word())
    body: Body = (Assign(_taps(place, side), bit, "+="),)
    for axis in reversed(window.taps):
        body = (Loop(inner.names.variable(axis.name), ZERO, axis.extent, body, few=True),)
    return (*scope.body, *body)


def tap_of_term(place: Place, side: Side, *, guarded: bool) -> Declare:
    """`const unsigned x_tap = uol::bit(x_k / 64);`: the tap of the term that a thread brings; any of a `guarded` one, which may
    be in front of the first."""
    term = replace(side.operand.k, name=side.name("k"))
    number: Expr = Var(term.name, INDEX)
    if guarded:
        number = Call("max", (number, ZERO), INDEX)
    tap = folded(Call("/", (number, _window(side).of_a_tap), INDEX))
    return Declare(place.name(side, "tap"), Word(), Primitive("bit", (), (Known(tap, term.known(place.printer)),), Word()))


def is_in_window(place: Place, side: Side) -> Expr:
    """Is there the element that a thread brings in a turn: has its row the tap, or, where k goes from row to row, is it within
    all bounds?"""
    if side.operand.along_k:
        tap = Local(place.name(side, "tap"), Word())
        return Primitive("has_bit", (), (_taps(place, side), tap), Scalar("bool"))
    row, term = _row(side), replace(side.operand.k, name=side.name("term"))
    values = {axis.name: each.axis_value(n) for each in (row, term) for n, axis in enumerate(each.axes)}
    condition = all_of(substitute(each, values) for each in _window(side).conditions)
    return Known(condition, term.known(row.known(place.printer)))


def _window(side: Side) -> Window:
    assert side.operand.window is not None, "some elements are not there"
    return side.operand.window


def _row(side: Side) -> Counter:
    """What counts the rows of an operand, by the variable that has the number of one."""
    return replace(side.operand.outer, name=side.name("outer"))


def _taps(place: Place, side: Side) -> Element:
    return Element(Local(place.name(side, "taps"), Word()), EACH, Word())
