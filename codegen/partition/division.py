"""An axis of an elementwise stage that runs over a row axis and a column axis of a reduction: the channels of a group
normalisation are groups, and channels within one.

    mu[n, g]   = sum[d, s](x[n, g * 8 + d, s])
    y[n, c, s] = x[n, c, s] - mu[n, c / 8]           c is g * 8 + d
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass

from uol.codegen.indexing.arithmetic import ZERO, add, mul
from uol.ir.integers.terms import compare, idx
from uol.ir.program.nodes import Axis, Call, Expr, Load, Stage, Var
from uol.ir.program.walk import rewrite, stage_expressions, substitute, walk


@dataclass(frozen=True, slots=True)
class Division:
    """`axis` is at `part * extent of within + within`: a row axis, and a column axis, of the group."""

    axis: Axis
    part: Axis
    within: Axis

    @property
    def split(self) -> Mapping[str, Expr]:
        """The axis as an expression of its parts."""
        return {self.axis.name: add(mul(Var(self.part.name), self.within.extent), Var(self.within.name))}

    def over(self, axes: Iterable[Axis]) -> frozenset[Axis]:
        """The axes of a stage, with both parts in place of the axis."""
        return frozenset(part for a in axes for part in ((self.part, self.within) if a == self.axis else (a,)))

    def placed(self, index: Expr) -> Expr:
        """An index over both parts: (part * c + within) / c is the part."""
        (whole,) = self.split.values()
        quotient = Call("/", (whole, self.within.extent), whole.type)
        part = Var(self.part.name)
        return rewrite(substitute(index, self.split), lambda node: part if node == quotient else None)


def division_of(
    stages: Iterable[Stage], rows: tuple[Axis, ...], cols: tuple[Axis, ...], stage: Stage, facts: Container[Expr]
) -> Division | None:
    """The axis of a stage that is a row and a column of a group of `stages`; None where there is none, or not one alone. The
    part within has the place among the stage's further axes that its column has among the columns. `facts`: what is known of
    sizes."""
    made = {s.name: s.axes for s in stages}
    found = set(_quotients(stage, made))
    if len(found) != 1:
        return None
    ((name, part, width),) = found
    axis = next((a for a in stage.axes if a.name == name), None)
    further = [a for a in stage.axes if a not in rows]
    if axis is None or part not in rows or axis not in further or len(further) != len(cols):
        return None
    column = cols[further.index(axis)]
    if column.extent != width or not _are_whole(axis.extent, part.extent, width, facts):
        return None
    is_new = column.name not in {a.name for a in stage.axes} and axis.name not in {a.name for a in (*rows, *cols)}
    return Division(axis, part, column) if is_new else None


def _are_whole(extent: Expr, parts: Expr, width: Expr, facts: Container[Expr]) -> bool:
    """Is an extent so many parts of a width? Where neither is a number, one is what the other leaves of it, and nothing is left
    over."""
    for divisor, quotient in ((parts, width), (width, parts)):
        if quotient == idx("/", extent, divisor) and compare("==", idx("%", extent, divisor), ZERO) in facts:
            return True
    return mul(parts, width) == extent


def _quotients(stage: Stage, made: Mapping[str, tuple[Axis, ...]]) -> Iterator[tuple[str, Axis, Expr]]:
    """The axes of a stage by whose quotients it reads what the group makes: their names, along what, and the divisors."""
    loads = (n for part in stage_expressions(stage) for n in walk(part) if isinstance(n, Load) and n.tensor in made)
    for load in loads:
        for index, along in zip(load.index, made[load.tensor], strict=True):
            match index:
                case Call(fn="/", args=(Var(name=name), width)) if width != ZERO:
                    yield name, along, width
