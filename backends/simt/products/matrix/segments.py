"""Contractions in segments on matrix units, whose bounds a kernel in front of them has looked for.

    rows    a tile is of rows of one segment. Segment e has places from `begin / 128 + e` on for tiles of 128 rows, as many as
            it needs or one more: so a block finds the segment of its place, by a fold over those that begin no later
    terms   a block sums over the terms between the bounds of its segment
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from uol.backends.simt.c_text.address import quotient, total
from uol.backends.simt.c_text.printer import Printer
from uol.backends.simt.c_text.terms import Element, Known, Local, Pointer, Primitive, Scalar
from uol.backends.simt.kernel.nodes import Assign, Declare, If, Leave, Loop, Statement
from uol.backends.simt.products.matrix.operand import variables_of
from uol.codegen.contractions.segment_bounds import DTYPE, EDGES, segments_of
from uol.codegen.indexing.arithmetic import ZERO, add, folded
from uol.codegen.specs.nodes import Contract, Read
from uol.codegen.specs.traverse import own_segment
from uol.ir.program.nodes import Axis, Call, Const, Expr
from uol.ir.program.walk import rewrite
from uol.ir.types import INDEX

SLOT, OWN, EDGE, SEGMENT, BEGIN, ROWS_END, TERMS = map(
    Local, ("slot", "own", "edge", "segment", "begin", "rows_end", "terms")
)
HAS_ROWS = Local("has_rows", Scalar("bool"))
"""Are any of a warp's rows of the block's segment?"""
SCRATCH = "scratch"
LOCALS = ("slot", "own", "edge", "segment", "begin", "rows_end", "terms", "scratch", "has_rows")


def of_known_segment(spec: Contract) -> Contract:
    """The contraction as indices are computed for it: bounds say that the segment of a block is one that there is."""
    segments, number = spec.segments, segments_of(spec)
    if segments is None or number is None or segments.over != "rows":
        return replace(spec, segments=None)

    own = Axis(segments.of, number)
    return replace(spec, segments=None, batch=(*spec.batch, own), b=unguarded(spec.b, segments.of))


def unguarded(factor: Expr, segment: str) -> Expr:
    """A factor without what its reads ask of the segment alone."""

    def rule(node: Expr) -> Expr | None:
        if not isinstance(node, Read):
            return None
        guard = tuple(each for each in node.guard if not variables_of(each) <= {segment})
        return replace(node, guard=guard, fill=node.fill if guard else None)

    return rewrite(factor, rule)


def slots_of_rows(spec: Contract, rows: int, count: Expr) -> Expr:
    """How many places tiles of so many rows have in all, of so many rows: those that lie in no segment have some, too."""
    segments = segments_of(spec)
    assert segments is not None, "legality has asked"
    return add(folded(Call("/", (count, Const(rows)), INDEX)), add(segments, Const(EDGES - 1)))


def _bound(spec: Contract, printer: Printer, at: Expr) -> Expr:
    assert spec.segments is not None
    return Element(Pointer(printer.names.tensor(spec.segments.bounds)), at, Scalar(DTYPE, stored=True))


def find_rows(spec: Contract, printer: Printer, rows: int, threads: int) -> Iterable[Statement]:
    """The rows of a block, which are of one segment, or of none. `SLOT` is declared. A block that has no rows leaves."""
    segments, index = spec.segments, Scalar(INDEX)
    number = segments_of(spec)
    assert segments is not None and number is not None
    edges = Known(add(number, Const(EDGES - 1)), printer)
    begins = total(quotient(_bound(spec, printer, EDGE), rows), EDGE)
    mine = If(Call("<=", (begins, SLOT), "bool"), (Assign(OWN, EDGE),))
    yield Declare(OWN.name, index, ZERO, constant=False)
    yield Loop(EDGE.name, Local("thread"), edges, (mine,), step=threads)
    found = Primitive("block_max", (threads,), (OWN, Pointer(SCRATCH)), index)
    yield Declare(SEGMENT.name, index, found)
    yield Declare(BEGIN.name, index, _bound(spec, printer, SEGMENT))
    yield Declare(ROWS_END.name, index, _bound(spec, printer, total(SEGMENT, 1)))
    place = Call("-", (Call("-", (SLOT, quotient(BEGIN, rows)), INDEX), SEGMENT), INDEX)
    yield Declare("m0", index, total(BEGIN, Call("*", (place, Const(rows)), INDEX)))
    yield Leave("return", Call(">=", (Local("m0"), ROWS_END), "bool"))
    of = Local(printer.names.variable(segments.of))
    yield Declare(of.name, index, Call("-", (SEGMENT, Const(1)), INDEX))


def is_segment(spec: Contract, printer: Printer) -> Expr:
    """Is what `find_rows` has found a segment? Keys may name others, whose rows have sums of no terms."""
    segments, number = spec.segments, segments_of(spec)
    assert segments is not None and number is not None
    of = Local(printer.names.variable(segments.of))
    return Call("and", (Call(">=", (of, ZERO), "bool"), Call("<", (of, Known(number, printer)), "bool")), "bool")


def find_terms(spec: Contract, printer: Printer) -> Iterable[Statement]:
    """Where the terms of a block's segment begin, and how many there are."""
    own = Known(own_segment(spec), printer)
    yield Declare(BEGIN.name, Scalar(INDEX), _bound(spec, printer, total(own, 1)))
    end = _bound(spec, printer, total(own, 2))
    yield Declare(TERMS.name, Scalar(INDEX), Call("-", (end, BEGIN), INDEX))
