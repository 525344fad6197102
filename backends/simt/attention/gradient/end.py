"""The end of a gradient of an attention: sums pass through shared memory one after another, as those of a product do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from uol.backends.simt.attention.gradient.place import Place
from uol.backends.simt.attention.matrix.lanes import element_of
from uol.backends.simt.attention.matrix.tiles import row_bytes
from uol.backends.simt.c_text.counters import Counter, is_multiple
from uol.backends.simt.c_text.printer import Printer
from uol.backends.simt.c_text.terms import Local
from uol.backends.simt.kernel.nodes import Barrier, Body, Statement
from uol.backends.simt.machine.fragments import MatrixUnit
from uol.backends.simt.products.matrix.epilogue import Epilogue
from uol.backends.simt.products.matrix.place import NI, Owned
from uol.backends.simt.products.matrix.schedule import MatrixTile
from uol.codegen.attention.parts import weighted_product
from uol.codegen.indexing.arithmetic import ZERO
from uol.codegen.specs.nodes import Contract
from uol.ir.program.nodes import Expr


@dataclass(frozen=True, slots=True)
class Result:
    """One of the sums of a block as those of a product, of rows by its width: what `Epilogue` asks."""

    place: Place
    number: int
    spec: Contract
    n: Counter

    @staticmethod
    def of(place: Place, number: int) -> Result:
        total = place.form.sums[number]
        steps = next(part.steps for part in place.form.parts if part.sums == (total,))
        product = replace(weighted_product(place.spec, total), epilogue=steps)
        return Result(place, number, product, place.operands.of_sums[number][0].outer)

    @property
    def printer(self) -> Printer:
        return self.n.known(self.place.printer)

    @property
    def unit(self) -> MatrixUnit:
        return self.place.unit

    @property
    def owned(self) -> Owned:
        return Owned.of(self.unit)

    @property
    def tile(self) -> MatrixTile:
        tile = self.place.tile
        return MatrixTile(tile.rows, row_bytes(self.place.width(self.number), 1), self.unit.k, tile.warps, 1, tile.stages)

    @property
    def m(self) -> Counter:
        return self.place.rows

    @property
    def threads(self) -> int:
        return self.place.threads

    @property
    def rows(self) -> int:
        return self.place.row_fragments

    @property
    def cols(self) -> int:
        return self.place.width_fragments(self.number)

    @property
    def ni(self) -> Local:
        return replace(NI, limit=self.cols)

    @property
    def first_col(self) -> Expr:
        """The first column of a warp's sums: a warp has whole rows."""
        return ZERO

    @property
    def ends(self) -> tuple[Expr | None, Expr | None]:
        """The numbers of rows and of columns that there are; None where every tile is full."""
        return (
            None if is_multiple(self.m.count, self.tile.m) else self.place.known(self.m.count),
            None if is_multiple(self.n.count, self.tile.n) else self.place.known(self.n.count),
        )

    def fragment(self, i: Expr, j: Expr) -> Expr:
        return element_of(self.place.sums(self.place.form.sums[self.number]), i, j)


def end_of(place: Place, room: int) -> Body:
    """All of it; `room`: bytes of shared memory that there are."""
    return tuple(_statements(place, room))


def _statements(place: Place, room: int) -> Iterable[Statement]:
    for number in range(len(place.form.sums)):
        if number:
            yield Barrier()
        yield from Epilogue(Result.of(place, number), room).statements()


def bytes_of_sums(place: Place, room: int) -> int:
    """Of shared memory, that sums take in parts of so much."""
    return max(Epilogue(Result.of(place, number), room).bytes for number in range(len(place.form.sums)))
