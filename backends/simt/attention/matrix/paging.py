"""The places of the rows of a tile of cols in a cache, of which a table names the pages.

    const long long page = col < cols_end ? table[...] : -1
    row = 0 <= page && page < pages ? page * step + col % rows * pitch : -1        the element at which it begins

Of cols behind the end nothing is looked up, and what is no page is not read: it is zeros. A tile that lies in one page has one
such place, from which its rows go on.
"""

from __future__ import annotations

from uol.backends.simt.attention.matrix.place import Place
from uol.backends.simt.attention.matrix.tiles import pitch_of
from uol.backends.simt.c_text.address import remainder, total
from uol.backends.simt.c_text.terms import Element, Known, Local, Scalar, select
from uol.backends.simt.kernel.nodes import Assign, Body, Declare
from uol.backends.simt.kernel.scope import all_of
from uol.backends.simt.products.matrix.operand import Operand
from uol.backends.simt.products.matrix.place import index
from uol.codegen.attention.pages import PAGE
from uol.codegen.indexing.arithmetic import static
from uol.ir.program.nodes import Call, Const, Expr
from uol.ir.types import INDEX

NOWHERE = -1


def looked_up(place: Place, operand: Operand, into: Element | Local, col: Expr) -> Body:
    """Statements that put the element at which a col's row begins, from the first of its page on, into a register."""
    pages = place.pages
    assert pages is not None
    name, kind = place.name(pages.col), Scalar(pages.number.dtype)
    at = Local(name)
    there = all_of([Call("<", (at, place.known(end)), "bool") for end in place.col_ends])
    number = Known(pages.number, place.printer)
    page = Local(place.name(PAGE), kind)
    found = Declare(page.name, kind, select(there, number, Const(NOWHERE, kind.dtype)))
    known = static(pages.count)
    count = Known(Call("cast", (pages.count,), kind.dtype), place.printer) if known is None else Const(known, kind.dtype)
    is_page = [Call(">=", (page, Const(0, kind.dtype)), "bool"), Call("<", (page, count), "bool")]
    number_of_page: Expr = page if place.index.is_wide else Call("cast", (page,), "i32")
    first = place.times(Call("cast", (number_of_page,), INDEX), pages.steps[operand.read.tensor])
    row = total(first, place.times(remainder(at, pages.rows), pitch_of(operand)))
    return (index(name, col), found, Assign(into, select(all_of(is_page), row, Const(NOWHERE))))
