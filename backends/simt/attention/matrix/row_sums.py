"""The sums of a block of rows as those of a product, of rows by a width: what `Epilogue` asks of an attention's kernels."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace

from uol.backends.simt.attention.matrix.lanes import Lanes
from uol.backends.simt.c_text.counters import Counter, is_multiple
from uol.backends.simt.c_text.printer import Printer
from uol.backends.simt.c_text.terms import Local
from uol.backends.simt.machine.fragments import MatrixUnit
from uol.backends.simt.products.matrix.place import NI, Owned
from uol.backends.simt.products.matrix.schedule import MatrixTile
from uol.codegen.indexing.arithmetic import ZERO
from uol.ir.program.nodes import Expr


class RowSums:
    """Sums of `n` columns of the rows of a block; a kernel says which (`tile`, `cols`)."""

    __slots__ = ()
    place: Lanes
    n: Counter

    @property
    @abstractmethod
    def tile(self) -> MatrixTile: ...

    @property
    @abstractmethod
    def cols(self) -> int:
        """Fragments side by side."""

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
    def m(self) -> Counter:
        return self.place.rows

    @property
    def threads(self) -> int:
        return self.place.threads

    @property
    def rows(self) -> int:
        return self.place.row_fragments

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
