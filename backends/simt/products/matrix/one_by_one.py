"""The sums of a product whose elements are read one by one, by the same threads in the same fragments: where tensors do not
begin at places for whole accesses, or where sums of factors in parts are not finite.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from uol.backends.simt.c_text.address import scaled, total
from uol.backends.simt.c_text.terms import Element, Local, Scalar
from uol.backends.simt.kernel.nodes import Assign, Body, Declare, Loop, Statement
from uol.backends.simt.kernel.scope import Scope
from uol.backends.simt.products.matrix.operand import Side
from uol.backends.simt.products.matrix.place import GROUP, M0, MI, N0, NEXT, NI, Place, index, nest
from uol.backends.simt.products.matrix.segments import unguarded
from uol.codegen.indexing.arithmetic import ONE, ZERO
from uol.ir.program.nodes import Call, Expr
from uol.ir.program.walk import variables


@dataclass(frozen=True, slots=True)
class OneByOne:
    """The loop over the terms of one kernel's sums, an element at a time."""

    place: Place

    def sums(self, beside: Callable[[Expr], Body]) -> Statement:
        """`beside`: what else is done with an element of a row."""
        place = self.place
        owned, kind = place.owned, Scalar(place.spec.acc_dtype)
        rows, cols = (Local(place.name(side, "part"), kind) for side in place.sides)
        # Of a fragment, rows differ from group to group and columns within one; where operands have changed places, columns
        # differ from group to group, too.
        groups = owned.groups
        col_groups = groups if owned.exchanged else 1
        row_groups = 1 if owned.exchanged else groups
        m = total(M0, place.a.first_of_warp, scaled(MI, owned.rows), owned.row(GROUP if row_groups > 1 else ZERO))
        n = total(N0, place.b.first_of_warp, scaled(NI, owned.cols), owned.col(GROUP if col_groups > 1 else ZERO), NEXT)
        left = Element(rows, total(scaled(MI, row_groups), GROUP) if row_groups > 1 else MI, kind)
        across = total(scaled(NI, col_groups * owned.width), scaled(GROUP, owned.width) if col_groups > 1 else ZERO, NEXT)
        right = Element(cols, across, kind)
        acc = Element(place.fragment(MI, NI), total(scaled(GROUP, owned.width), NEXT), kind)
        product = Assign(acc, Call("*", (left, right), place.spec.acc_dtype), "+=")
        of_term = Scope(place.printer)
        of_term.axes(place.k, frozenset().union(*(variables(self._factor(side)) for side in place.sides)))
        body = (
            *of_term.body,
            Declare(rows.name, kind, extent=row_groups * place.rows),
            Declare(cols.name, kind, extent=col_groups * owned.width * place.cols),
            *nest((("mi", place.rows), ("group", row_groups)), self._element(place.a, m, left)),
            *nest((("ni", place.cols), ("group", col_groups), ("r", owned.width)), self._element(place.b, n, right)),
            *nest((("mi", place.rows), ("ni", place.cols), ("group", groups), ("r", owned.width)), (product,)),
            *beside(left),
        )
        first = place.first_term
        return Loop(place.printer.names.variable(place.k.name), first, total(first, place.terms), body, times=1)

    def _factor(self, side: Side) -> Expr:
        """An operand's element by the counters, or by axes where it is dense over none. That the segment of a row is one that
        there is has been asked."""
        factor = side.operand.outer.shorter(side.operand.factor)
        segments = self.place.spec.segments
        if segments is not None and segments.over == "rows":
            factor = unguarded(factor, segments.of)
        return self.place.k.shorter(factor)

    def _element(self, side: Side, at: Expr, target: Expr) -> Body:
        """An element of an operand, at the last row or column where it is asked for one beyond."""
        place, outer, value = self.place, side.operand.outer, self._factor(side)
        scope = Scope(place.printer)
        scope.put(index(place.printer.names.variable(outer.name), place.clamped(side, at, ONE)))
        scope.axes(outer, variables(value))
        scope.put(Assign(target, scope.value(value), line=place.spec.line))
        return tuple(scope.body)
