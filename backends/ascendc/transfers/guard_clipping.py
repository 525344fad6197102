"""Guards of a read as what a copy can do about them: a condition, and an interval of rows and of lanes.

    low <= value < high,  value = slope * i + value(0)
    ceil((low - value(0)) / slope) <= i < ceil((high - value(0)) / slope)
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from uol.backends.ascendc.transfers.indices import Indices, uses
from uol.codegen.indexing.fold_constants import substituted
from uol.codegen.specs.nodes import Guard, Within
from uol.ir.program.nodes import Expr


@dataclass(frozen=True, slots=True)
class Interval:
    """C text of the bounds of an index relative to the tile: low <= i < high. None where a side is not clipped."""

    low: str | None
    high: str | None


@dataclass(frozen=True, slots=True)
class Clip:
    """What remains of a tile where all guards hold. `condition` is the part that does not depend on the tile's axes."""

    condition: str
    lanes: tuple[Interval, ...]
    rows: tuple[Interval, ...]

    @property
    def partial(self) -> bool:
        """Is part of the tile filled rather than copied, at least sometimes?"""
        return bool(self.condition or self.lanes or self.rows)

    def condition_with_rows(self, row: str) -> str:
        """The condition and, for one row by its number, the intervals of rows."""
        parts = [self.condition] if self.condition else []
        parts += [f"{row} >= {_operand(i.low)}" for i in self.rows if i.low is not None]
        parts += [f"{row} < {_operand(i.high)}" for i in self.rows if i.high is not None]
        return " && ".join(parts)


def clip_of(guards: Iterable[Guard], lane: str, row: str, origins: dict[str, Expr], indices: Indices) -> Clip | None:
    """The clip of a read; None where a guard cannot be an interval of one of the tile's axes."""
    uniform: list[Guard] = []
    found: dict[str, list[Interval]] = {lane: [], row: []}
    for guard in guards:
        axes = [a for a in (lane, row) if a and uses(guard, (a,))]
        if not axes:
            uniform.append(guard)
            continue
        if len(axes) > 1 or not isinstance(guard, Within):
            return None
        slope = indices.slope(guard.value, axes[0])
        bounds = [b for b in (guard.low, guard.high) if b is not None]
        if slope is None or slope <= 0 or any(uses(Within(b, None, None), axes) for b in bounds):
            return None
        found[axes[0]].append(_interval(guard, slope, origins, indices))
    return Clip(indices.condition(uniform), tuple(found[lane]), tuple(found[row]) if row else ())


def _interval(guard: Within, slope: int, origins: dict[str, Expr], indices: Indices) -> Interval:
    start = substituted(guard.value, origins)

    def bound(limit: Expr | None) -> str | None:
        if limit is None:
            return None
        gap = indices.text(indices.difference(limit, start))
        return gap if slope == 1 else f"ceil_div({gap}, {slope})"

    return Interval(bound(guard.low), bound(guard.high))


def _operand(text: str) -> str:
    return text if text.isidentifier() or text.isdigit() or text.startswith("(") else f"({text})"
