"""Sums of the rows of `a` beside a product: products with a fragment of ones, in the blocks that have the first columns.

A matrix unit adds up what a warp has in registers anyway, in every column of a fragment; the lanes with the first store it. All
warps of such a block do so: the branch is one for the block, and takes no longer than for one warp.

Where a unit takes subnormal factors for 0, which a sum may not, each lane adds up what it has of a fragment in f32, and lanes
with the same row add up theirs behind the last tile.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from uol.backends.simt.c_text.address import scaled, total
from uol.backends.simt.c_text.terms import Element, Functor, Local, Primitive, Scalar
from uol.backends.simt.kernel.nodes import Assign, Body, Declare, Do, If, Multiply, Statement
from uol.backends.simt.kernel.scope import Scope, all_of
from uol.backends.simt.products.matrix.place import GROUP, M0, MI, N0, WARP_N, Place, index, nest, unrolled
from uol.codegen.indexing.arithmetic import ZERO
from uol.codegen.specs.steps import used_variables
from uol.ir.program.nodes import Call, Const, Expr, Var
from uol.ir.program.walk import rewrite

ONES = Local("ones")
HAS_FIRST = Local("has_first", Scalar("bool"))
"""Does a block have the first columns?"""
PACKED = {"f16": "pack_f16", "bf16": "pack_bf16"}
"""What packs two ones of a type."""
WIDE = Local("wide", Scalar("f32"))
IN_A_REGISTER = 2
"""Elements of 16 bits."""


@dataclass(frozen=True, slots=True)
class RowSums:
    """Of one kernel; nothing where no such sums are asked for."""

    place: Place

    @property
    def array(self) -> Local:
        return Local(self.place.printer.names.variable(self.place.spec.sum_of_a), Scalar(self.place.spec.acc_dtype))

    @property
    def ones(self) -> Expr:
        """A fragment of them."""
        return Element(replace(ONES, kind=self.place.word), ZERO, self.place.word)

    @property
    def is_by_lanes(self) -> bool:
        """Do lanes add up what they have? MFMA takes subnormal factors for 0, which in f16 are up to 6e-5 of each term; of bf16
        they are less than the smallest normal f32 (CDNA2 ISA, 7.1)."""
        return self.place.owned.exchanged and self.place.unit.factor == "f16"

    @property
    def row_groups(self) -> int:
        """Rows of a lane in a fragment."""
        return 1 if self.place.owned.exchanged else self.place.owned.groups

    def declarations(self) -> Iterable[Statement]:
        place, unit = self.place, self.place.unit
        if not place.spec.sums:
            return
        yield Declare(HAS_FIRST.name, HAS_FIRST.kind, Call("==", (N0, ZERO), "bool"))
        if self.is_by_lanes:
            yield Declare(self.array.name, self.array.kind, extent=(place.rows, 1), zeroed=True)
            return
        side = unit.a if place.owned.exchanged else unit.b
        yield Declare(ONES.name, place.word, extent=(1, side.registers))
        one = Element(self.ones, Local("i"), place.word)
        yield unrolled("i", side.registers, Assign(one, _ones(unit.factor)))
        extent = (place.rows, unit.d.registers)
        yield Declare(self.array.name, self.array.kind, extent=extent, zeroed=True)

    def products(self, part: Expr) -> Body:
        """Of a step of k, beside those of the fragments: `part` is that of `a` at `mi`."""
        if not self.place.spec.sums:
            return ()
        if self.is_by_lanes:
            return (If(HAS_FIRST, (unrolled("mi", self.place.rows, *self._of_lane(part)),)),)
        sums = Element(self.array, MI, self.array.kind)
        operands = (self.ones, part) if self.place.owned.exchanged else (part, self.ones)
        product = Multiply(self.place.unit, sums, *operands)
        return (If(HAS_FIRST, (unrolled("mi", self.place.rows, product),)),)

    def _of_lane(self, part: Expr) -> Body:
        """What a lane has of a fragment, added to its sum of the row."""
        count = self.place.unit.b.registers * IN_A_REGISTER
        widen = Primitive(f"widen_{self.place.unit.factor}", (count,), (WIDE, part))
        first, *others = (Element(WIDE, Const(each), WIDE.kind) for each in range(count))
        added: Expr = first
        for other in others:
            added = Call("+", (added, other), WIDE.dtype)
        return (Declare(WIDE.name, WIDE.kind, extent=count), Do(widen), Assign(self._own, added, "+="))

    def folded(self) -> Body:
        """Behind the last tile: a row's sum, of the lanes that have parts of it."""
        if not self.place.spec.sums or not self.is_by_lanes:
            return ()
        fold = Primitive("strided_fold", (self.place.owned.rows,), (self._own, Functor("Sum")), self.array.kind)
        return (If(HAS_FIRST, (unrolled("mi", self.place.rows, Assign(self._own, fold)),)),)

    def one_by_one(self, element: Expr) -> Body:
        """The same of an element of a row at `mi` and `group`."""
        if not self.place.spec.sums:
            return ()
        return nest((("mi", self.place.rows), ("group", self.row_groups)), (Assign(self._own, element, "+="),))

    @property
    def _own(self) -> Expr:
        """The sum of a row."""
        group = scaled(GROUP, self.place.owned.width) if self.row_groups > 1 else ZERO
        return Element(Element(self.array, MI, self.array.kind), group, self.array.kind)

    def statements(self) -> Body:
        """What is made of the sums: of each row in one lane."""
        place, spec = self.place, self.place.spec
        if not spec.sums:
            return ()
        group = GROUP if self.row_groups > 1 else ZERO
        row = total(M0, place.a.first_of_warp, scaled(MI, place.owned.rows), place.owned.row(group))
        name = place.printer.names.variable(place.m.name)

        def rule(node: Expr) -> Expr | None:
            return self._own if isinstance(node, Var) and node.name == spec.sum_of_a else None

        steps = [replace(s, value=rewrite(s.value, rule)) for s in map(place.m.shortened, spec.sums)]
        scope = Scope(place.printer)
        scope.axes(place.m, used_variables(steps))
        scope.write(steps)
        count = place.count(place.a)
        there = Call("<", (Local(name), count), "bool") if count is not None else None
        body = tuple(scope.body) if there is None else (If(there, tuple(scope.body)),)
        rows = nest((("mi", place.rows), ("group", self.row_groups)), (index(name, row), *body))
        are_first = (Call("==", (of, ZERO), "bool") for of in (WARP_N, place.owned.col(ZERO)))
        return (If(all_of((HAS_FIRST, *are_first)), rows),)


def _ones(dtype: str) -> Expr:
    """A register of a fragment of ones."""
    one = Const(1, "f32")
    return Primitive(PACKED[dtype], (), (one, one))
