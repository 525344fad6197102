"""Operands in pieces: statements that say where a term lies, and whether an element is there of an operand of which some are
not, those beside a picture. Where a tile of k is within one piece, all threads find it by one and the same number."""

from __future__ import annotations

from dataclasses import replace

from uol.backends.simt.c_text.counters import Counter
from uol.backends.simt.c_text.terms import Element, Known, Local, Primitive, Scalar, Word
from uol.backends.simt.kernel.nodes import Assign, Body, Declare, Loop
from uol.backends.simt.kernel.scope import Scope, all_of
from uol.backends.simt.products.matrix.operand import Side
from uol.backends.simt.products.matrix.place import EACH, Place
from uol.backends.simt.products.matrix.windows import Window
from uol.codegen.indexing.arithmetic import ZERO, add, mul
from uol.ir.program.nodes import Call, Const, Expr, Var
from uol.ir.program.walk import substitute
from uol.ir.types import INDEX


def are_of_tiles(place: Place, side: Side) -> bool:
    """Is each tile of k within one piece of an operand's terms, and of one tap, if it has a window?"""
    operand, window = side.operand, side.operand.window
    if not operand.k_is_in_pieces or place.k_is_padded or (window is not None and not operand.along_k):
        return False
    of_a_tap = [] if window is None else [window.of_a_tap]
    return all(place.is_whole(count, place.tile.k) for count in (_piece(side)[0], *of_a_tap))


def within_piece(place: Place, side: Side, k: Expr) -> Expr:
    """How many elements a term of a tile lies behind its first."""
    return place.times(k, _piece(side)[1])


def taps_of_rows(place: Place, side: Side, turns: int) -> Declare:
    """`unsigned x_beside[4] = {};`: which lines and columns of the window are not there for each row of a thread."""
    return Declare(place.name(side, "beside"), Word(), extent=turns, zeroed=True)


def taps_of_row(place: Place, side: Side) -> Body:
    """What sets the bits of the row whose number is in `x_outer`."""
    window, row = _window(side), _row(side)
    scope = Scope(row.known(place.printer))
    scope.axes(row, window.asked)
    for bounds in window.bounds:
        printer, number = scope.printer, Const(bounds.first)
        at: Expr = number
        if bounds.axis is not None:
            printer = Counter(bounds.axis.name, (bounds.axis,)).known(printer)
            at = add(Var(bounds.axis.name, INDEX), number)
        is_beside = Call("not", (all_of(bounds.conditions),), "bool")
        bit = Primitive("bit", (), (Known(at, printer), Known(is_beside, printer)), Word())
        body: Body = (Assign(_beside(place, side), bit, "+="),)
        if bounds.axis is not None:
            body = (Loop(printer.names.variable(bounds.axis.name), ZERO, bounds.axis.extent, body, few=True, bare=True),)
        scope.put(*body)
    return tuple(scope.body)


def tap_of_term(place: Place, side: Side, *, guarded: bool) -> Declare:
    """`const unsigned x_tap = uol::bits(x_k / 192, x_k / 64 % 3 + 3);`: line and column of the term that a thread
    brings; any of a `guarded` one, which may be in front of the first."""
    term = replace(side.operand.k, name=side.name("k"))
    printer = term.known(place.printer)
    places: list[Expr] = []
    for bounds in _window(side).bounds:
        at: Expr = ZERO
        if bounds.axis is not None:
            at = term.axis_value(term.axes.index(bounds.axis)) if len(term.axes) > 1 else Var(term.name, INDEX)
        if guarded:
            at = Call("max", (at, ZERO), INDEX)
        places.append(Known(add(at, Const(bounds.first)), printer))
    return Declare(place.name(side, "tap"), Word(), Primitive("bits", (), tuple(places), Word()))


def is_in_window(place: Place, side: Side) -> Expr:
    """Is there the element that a thread brings in a turn? Its row has line and column of the term; or, where k goes from row
    to row, it is within all bounds."""
    if side.operand.along_k:
        tap = Local(place.name(side, "tap"), Word())
        return Primitive("has_none", (), (_beside(place, side), tap), Scalar("bool"))
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


def _beside(place: Place, side: Side) -> Element:
    return Element(Local(place.name(side, "beside"), Word()), EACH, Word())


def _piece(side: Side) -> tuple[Expr, Expr]:
    """How many terms lie one step apart, and that step."""
    axes, strides = [*side.operand.k.axes], dict(side.operand.read.strides)
    last = axes.pop()
    count, step = last.extent, strides[last.name] or Const(0)
    while axes and strides[axes[-1].name] == mul(count, step):
        count = mul(axes.pop().extent, count)
    return count, step
