"""Terms that lie in pieces: where a tile of k is within one of them, all threads find the piece by one and the same number."""

from __future__ import annotations

from uol.backends.simt.products.matrix.operand import Side
from uol.backends.simt.products.matrix.place import Place
from uol.codegen.indexing.arithmetic import mul
from uol.ir.program.nodes import Const, Expr


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


def _piece(side: Side) -> tuple[Expr, Expr]:
    """How many terms lie one step apart, and that step."""
    axes, strides = [*side.operand.k.axes], dict(side.operand.read.strides)
    last = axes.pop()
    count, step = last.extent, strides[last.name] or Const(0)
    while axes and strides[axes[-1].name] == mul(count, step):
        count = mul(axes.pop().extent, count)
    return count, step
