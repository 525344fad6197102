"""Which cols the rows of a block see: tiles beyond them are not computed, and those that some rows see in part are masked."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from uol.codegen.attention.reach import bounds_in
from uol.codegen.indexing.affine import affine
from uol.codegen.indexing.arithmetic import static, substituted
from uol.codegen.specs.nodes import Attention
from uol.ir.program.nodes import Expr
from uol.ir.program.walk import variables


@dataclass(frozen=True, slots=True)
class Bound:
    """Of a condition of scores: a row sees no col from `at` on. It grows with the row."""

    condition: Expr
    at: Expr
    row: str

    is_end: bool = True

    def of_row(self, row: Expr) -> Expr:
        """Where the cols of a row end."""
        return substituted(self.at, {self.row: row})


def bounds_of(conditions: Iterable[Expr], spec: Attention) -> tuple[tuple[Bound, ...], tuple[Expr, ...]]:
    """Conditions that end the cols of a row, later for later rows; and all others."""
    bounds, others = [], []
    row = spec.rows[-1].name
    for condition in conditions:
        ends = [at for is_end, at in bounds_in(condition, spec.cols[-1]) if is_end]
        if len(ends) == 1 and len(spec.cols) == 1 and _grows(ends[0], row):
            bounds.append(Bound(condition, ends[0], row))
        else:
            others.append(condition)
    return tuple(bounds), tuple(others)


def _grows(at: Expr, row: str) -> bool:
    if row not in variables(at):
        return True
    form = affine(at, [row])
    return form is not None and (static(form.factor(row)) or 0) > 0
