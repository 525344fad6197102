"""Statements that look up rows of an operand that data names."""

from __future__ import annotations

from uol.backends.simt.c_text.address import total
from uol.backends.simt.c_text.terms import Known, Local, Scalar, less, select
from uol.backends.simt.kernel.nodes import Assign, Body, Declare
from uol.backends.simt.kernel.scope import all_of
from uol.backends.simt.products.matrix.gathered import NO_ROW, Lookup, is_there, row_number
from uol.backends.simt.products.matrix.operand import Side
from uol.backends.simt.products.matrix.place import BEFORE, Place
from uol.ir.program.nodes import Call, Const, Expr
from uol.ir.types import INDEX


def row_of(place: Place, side: Side, at: Expr) -> tuple[Body, Local, Expr | None]:
    """Statements that look up in which row of its tensor the row at a place of a side lies, the number of the row, and whether
    there is one; None where there always is."""
    lookup = _lookup(side)
    found, number = row_number(lookup, place.printer, place.name(side, "number"), at)
    return found, number, is_there(lookup, place.printer, number)


def look_up(place: Place, side: Side, at: Expr, target: Expr, *, first: bool) -> Body:
    """The number of the row of a k, which is only read here, so that nobody waits for it: of a tile, the `first` of which may
    begin in front of the block's terms; others end behind them."""
    lookup = _lookup(side)
    k = Local(place.printer.names.variable(lookup.axis))
    within: Expr = less(k, total(place.first_term, place.terms))
    if first and place.k_is_padded:
        within = all_of((Call(">=", (k, place.first_term), "bool"), within))
    number = select(within, Known(lookup.number, place.printer), Const(NO_ROW))
    return Declare(k.name, Scalar(INDEX), at), Assign(target, number)


def next_row(place: Place, side: Side, number: Expr) -> Declare:
    """`const int x_row = ...;`: the row that was looked up, or `NO_ROW`."""
    return Declare(place.name(side, "row"), Scalar(INDEX), select(next_is_there(place, side, number), number, Const(NO_ROW)))


def next_is_there(place: Place, side: Side, number: Expr) -> Expr:
    """Was there a row of k to look up, and is there one of its number?"""
    return is_there(_lookup(side), place.printer, number) or Call(">=", (number, Const(0)), "bool")


def first_k(place: Place, side: Side, row: Expr) -> Declare:
    """`int x_k = begin + thread / 16 - k_before;`: which k the first of a thread's rows of a tile is."""
    k = total(place.first_term, row)
    k = Call("-", (k, BEFORE), INDEX) if place.k_is_padded else k
    return Declare(place.name(side, "k"), Scalar(INDEX), k, constant=False)


def _lookup(side: Side) -> Lookup:
    assert side.operand.lookup is not None, "rows that data names"
    return side.operand.lookup
