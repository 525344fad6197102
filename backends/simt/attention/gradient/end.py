"""The end of a gradient of an attention: sums pass through shared memory one after another, as those of a product do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from uol.backends.simt.attention.gradient.place import Place
from uol.backends.simt.attention.matrix.lanes import element_of
from uol.backends.simt.attention.matrix.row_sums import RowSums
from uol.backends.simt.attention.matrix.tiles import row_bytes
from uol.backends.simt.c_text.counters import Counter
from uol.backends.simt.kernel.nodes import Barrier, Body, Statement
from uol.backends.simt.products.matrix.epilogue import Epilogue
from uol.backends.simt.products.matrix.schedule import MatrixTile
from uol.codegen.attention.parts import weighted_product
from uol.codegen.specs.nodes import Contract
from uol.ir.program.nodes import Expr


@dataclass(frozen=True, slots=True)
class Result(RowSums):
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
    def tile(self) -> MatrixTile:
        tile = self.place.tile
        return MatrixTile(tile.rows, row_bytes(self.place.width(self.number), 1), self.unit.k, tile.warps, 1, tile.stages)

    @property
    def cols(self) -> int:
        return self.place.width_fragments(self.number)

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
    """Bytes of shared memory that the sums take on their way, in parts of at most `room`."""
    return max(Epilogue(Result.of(place, number), room).bytes for number in range(len(place.form.sums)))
