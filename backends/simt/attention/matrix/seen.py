"""Which cols the rows of a block see: tiles beyond them are not computed, and those that some rows see in part are masked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from uol.backends.simt.attention.matrix.schedule import MatrixRows
from uol.codegen.attention.reach import bounds_in
from uol.codegen.indexing.affine import affine
from uol.codegen.indexing.arithmetic import ZERO, static, substituted, value_at
from uol.codegen.specs.nodes import Attention
from uol.ir.program.nodes import Axis, Call, Const, Expr
from uol.ir.program.walk import variables
from uol.ir.types import INDEX


@dataclass(frozen=True, slots=True)
class Bound:
    """What a condition of scores says: a row sees no col from `at` on, or none before it. It is the same for all rows, or grows
    with them."""

    condition: Expr
    at: Expr
    row: str
    is_end: bool

    def of_row(self, row: Expr) -> Expr:
        """The col at which those that a row sees end, or begin."""
        return substituted(self.at, {self.row: row})


def bounds_of(conditions: Iterable[Expr], spec: Attention) -> tuple[tuple[Bound, ...], tuple[Expr, ...]]:
    """Conditions that end, or begin, the cols of a row, later for later rows; and all others."""
    bounds, others = [], []
    for condition in conditions:
        bound = bound_of(condition, spec.rows[-1], spec.cols[-1])
        if bound is not None and len(spec.cols) == 1:
            bounds.append(bound)
        else:
            others.append(condition)
    return tuple(bounds), tuple(others)


def bound_of(condition: Expr, row: Axis, col: Axis) -> Bound | None:
    """The bound that a condition is; None where it is none, or one that falls as rows go on."""
    for is_end, at in bounds_in(condition, col):
        if _grows(at, row.name):
            return Bound(condition, at, row.name, is_end)
    return None


def _grows(at: Expr, row: str) -> bool:
    """Does a bound ask of nothing but the row, with which it grows?"""
    if row not in variables(at):
        return True
    form = affine(at, [row])
    return form is not None and (static(form.factor(row)) or 0) > 0


def visited(bounds: Iterable[Bound], cols: Expr, first: Expr, last: Expr) -> tuple[Expr, Expr]:
    """The col from which on, and the one before which, rows from the first to the last see any. Either may be negative, or
    beyond the cols."""
    begin: Expr = ZERO
    end = cols
    for bound in bounds:
        if bound.is_end:
            end = Call("min", (end, bound.of_row(last)), INDEX)
        else:
            begin = Call("max", (bound.of_row(first), begin), INDEX)
    return begin, end


def mean_tiles(bounds: Sequence[Bound], rows: int, cols: int, tile: MatrixRows, sizes: Mapping[str, int]) -> float:
    """The tiles of cols that a block visits, on an average of the first block and the last. `sizes`: what variables of bounds
    are; those that it does not have are 0."""

    def between(first: int, last: int) -> int:
        begin, end = 0, cols
        for bound in bounds:
            at = bound.of_row(Const(last if bound.is_end else first))
            found = max(0, value_at(at, {name: sizes.get(name, 0) for name in variables(at)}))
            begin, end = (begin, min(end, found)) if bound.is_end else (max(begin, found), end)
        return max(0, -(-end // tile.cols) - begin // tile.cols)

    whole = -(-rows // tile.rows) * tile.rows
    return (between(0, min(tile.rows, rows) - 1) + between(whole - tile.rows, rows - 1)) / 2
