"""Which tiles of cols pass by: of each head those that some row of the block sees, from `begin` up to `end`."""

from __future__ import annotations

from dataclasses import replace

from uol.backends.simt.attention.gradient.place import Place
from uol.backends.simt.c_text.address import total
from uol.backends.simt.c_text.terms import Known, Local, select
from uol.backends.simt.kernel.nodes import Assign, Body, Declare, Statement
from uol.backends.simt.kernel.scope import all_of
from uol.backends.simt.products.matrix.place import index
from uol.codegen.indexing.arithmetic import ONE, ZERO, add, folded, mul, sub
from uol.ir.program.nodes import Call, Const, Expr, Var
from uol.ir.types import INDEX

BEGIN, END, COL0, NEXT_COL, FULL_FROM, FULL_TO = map(Local, ("begin", "end", "col0", "next", "full_from", "full_to"))
"""The first col of a head's tiles and the one behind them; the first col of a tile, and of the tile that is fetched next; from
where on, and up to where, all rows of the block see the cols."""
_M0, _BEGIN, _OF_HEAD = Var("$m0"), Var("$begin"), Var("$of_head")


def ends_of(place: Place) -> Body:
    """`begin`, `end`, `full_from`, `full_to` of a block, and how many tiles there are of all heads."""
    cols, tile = place.cols.count, place.tile.cols
    last = add(_M0, Const(place.tile.rows - 1))
    begins, stops = ([bound for bound in place.bounds if bound.is_end == is_end] for is_end in (False, True))
    begin: Expr = ZERO
    full_from: Expr = ZERO
    for bound in begins:
        begin, full_from = (_greatest(a, bound.of_row(b)) for a, b in ((begin, _M0), (full_from, last)))
    end, full_to = cols, cols
    for bound in stops:
        end, full_to = (_call("min", a, bound.of_row(b)) for a, b in ((end, last), (full_to, _M0)))
    printer = place.printer
    for name in ("m0", "begin", "of_head"):
        printer = replace(printer.bound(**{f"${name}": name})).natural(f"${name}", name)
    whole = begin if begin == ZERO else mul(_call("/", begin, Const(tile)), Const(tile))
    left = _call("max", sub(end, ZERO if begin == ZERO else _BEGIN), ZERO) if place.bounds else end
    found: list[Statement] = [
        index(BEGIN.name, Known(whole, printer)),
        index("of_head", Known(_call("/", add(left, Const(tile - 1)), Const(tile)), printer)),
        index(END.name, Known(add(_BEGIN, mul(_OF_HEAD, Const(tile))), printer)),
        index("tiles", Known(mul(place.heads, _OF_HEAD), printer)),
    ]
    if place.is_masked:
        found += [index(FULL_FROM.name, Known(full_from, printer)), index(FULL_TO.name, Known(full_to, printer))]
    return tuple(found)


def _greatest(a: Expr, b: Expr) -> Expr:
    """The greater of two cols, of which the number of a row is none below 0."""
    is_natural = a == ZERO and b in (_M0, add(_M0, ZERO))
    return b if is_natural else _call("max", a, b)


def is_at_an_edge(place: Place) -> Expr:
    """Has the tile that is computed with cols that some rows do not see?"""
    before = Call("<", (COL0, FULL_FROM), "bool")
    behind = Call(">", (total(COL0, place.tile.cols), FULL_TO), "bool")
    if all(bound.is_end for bound in place.bounds):
        return behind
    is_behind = not place.cols_are_whole or any(bound.is_end for bound in place.bounds)
    return Call("or", (before, behind), "bool") if is_behind else before


def step_of(place: Place, at: Local, pitch: Expr, head_step: Expr) -> Expr:
    """How many elements further the next tile lies than the one at a col: behind the last of a head it is the first of the
    next."""
    step = place.times(Const(place.tile.cols), pitch)
    if place.head is None:
        return step
    back = Call("-", (Call("-", (END, BEGIN), INDEX), Const(place.tile.cols)), INDEX)
    return select(_is_last(place, at), Call("-", (place.known(head_step), place.times(back, pitch)), INDEX), step)


def moved(place: Place, at: Local) -> Statement:
    """A col moves on by a tile."""
    if place.head is None:
        return Assign(at, Const(place.tile.cols), "+=")
    return Assign(at, select(_is_last(place, at), BEGIN, total(at, place.tile.cols)))


def first_head(place: Place) -> Body:
    """The head of the tile that is computed with, where something asks for it."""
    if place.head is None or not place.asks_for(place.head):
        return ()
    return (Declare(place.name(place.head.name), COL0.kind, ZERO, constant=False),)


def next_head(place: Place, at: Local) -> Body:
    """It moves on with the last of its tiles, before the col does."""
    if place.head is None or not place.asks_for(place.head):
        return ()
    head = Local(place.name(place.head.name))
    return (Assign(head, select(_is_last(place, at), ONE, ZERO), "+="),)


def is_seen(place: Place, row: str, col: str) -> Expr:
    """Does a row see a col, by the conditions that bound cols, and is there such a col?"""
    conditions = [bound.condition for bound in place.bounds]
    if not place.cols_are_whole:
        conditions.insert(0, Call("<", (Var(col), place.cols.count), "bool"))
    return all_of(conditions)


def _is_last(place: Place, at: Local) -> Expr:
    return Call("==", (total(at, place.tile.cols), END), "bool")


def _call(fn: str, a: Expr, b: Expr) -> Expr:
    return folded(Call(fn, (a, b), INDEX))
