"""The tile that a vector kernel works on: lanes along one axis, and rows of lanes along a second one where lanes are few.

A value varies over the lanes, the rows, both or neither; that is its `Span`. In UB a tile is rows * pitch elements, a row
value a vector over the rows, a uniform value eight equal lanes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from uol.backends.ascendc.machine import BLOCK_BYTES, BYTES, REPEAT_BYTES, round_up
from uol.codegen.indexing.arithmetic import ZERO
from uol.ir.program.nodes import Expr, Var

Side = Literal["row", "lane"]
Span = frozenset[Side]

UNIFORM: Span = frozenset()
ROWS: Span = frozenset({"row"})
LANES: Span = frozenset({"lane"})
TILE: Span = frozenset({"row", "lane"})

REPEAT_LANES = REPEAT_BYTES // BYTES["f32"]
"""Lanes of f32 in a repeat; buffers have room for whole repeats."""
BROADCAST_LANES = 8
"""Brcb takes eight elements at a time."""


def start_of(axis: str) -> str:
    """The variable that holds the first index of a tile along an axis; no name of an op has a dot."""
    return f"{axis}.start"


@dataclass(frozen=True, slots=True)
class Frame:
    """lane, row     axis names; row is empty where a tile is one row
    lanes, rows   extents of a full tile
    pitch         elements from row to row
    lane_extent, row_extent   extents of the axes
    multiple      what numbers of lanes are rounded up to: a Compare takes whole repeats, 64 lanes of f32 or 128 of f16
    row_end       C text of where rows end, if that is not the end of their axis
    """

    lane: str
    lanes: int
    lane_extent: int
    row: str = ""
    rows: int = 1
    row_extent: int = 1
    pitch: int = 0
    multiple: int = 1
    row_end: str = ""

    @property
    def flat(self) -> bool:
        """Is a tile one row?"""
        return not self.row

    def span(self, span: Span) -> Span:
        """A span as this frame knows it: a flat tile varies over its lanes only, one without axes over nothing."""
        if not self.lane:
            return UNIFORM
        return span & LANES if self.flat else span

    def capacity(self, span: Span) -> int:
        """Elements of a buffer for a value: room for whole repeats."""
        match len(span):
            case 0:
                return self.elements(span)[0]
            case 1 if "lane" in span:
                return round_up(self.lanes if self.flat else self.pitch, self.room)
            case 1:
                return round_up(self.rows, self.room)
        return round_up(self.rows * self.pitch, self.room)

    @property
    def room(self) -> int:
        """What the sizes of buffers are rounded up to."""
        return max(self.multiple, REPEAT_LANES)

    def lane_counts(self) -> tuple[int, ...]:
        """How many lanes a tile may have: a full one, and the last."""
        return _counts(self.lanes, self.lane_extent)

    def row_counts(self) -> tuple[int, ...]:
        return (self.rows, 1) if self.row_end else _counts(self.rows, self.row_extent)

    def whole(self, axis: str) -> bool:
        """Does the tile have all of an axis?"""
        return self.lanes >= self.lane_extent if axis == self.lane else self.rows >= self.row_extent

    def origin(self, axis: str) -> Expr:
        """The first index of the tile along one of its axes."""
        return ZERO if self.whole(axis) else Var(start_of(axis))

    def origins(self) -> dict[str, Expr]:
        """The first index of the tile along each of its axes."""
        return {axis: self.origin(axis) for axis in (self.lane, self.row) if axis}

    def full(self) -> Frame:
        """A frame whose every tile is a full one: for what is computed outside of the loop over tiles."""
        lanes = self.lane_extent if self.whole(self.lane) and self.lane_extent else self.lanes
        rows = self.row_extent if self.whole(self.row) else self.rows
        return replace(self, lane_extent=lanes, row_extent=rows, row_end="")

    def lanes_text(self) -> str:
        """C text of the lanes of this tile."""
        return "lanes" if len(self.lane_counts()) > 1 else str(self.lane_counts()[0])

    def rows_text(self) -> str:
        return "rows" if len(self.row_counts()) > 1 else str(self.row_counts()[0])

    def elements(self, span: Span) -> tuple[int, ...]:
        """How many elements of a value are computed, for each size of tile; padding between rows counts."""
        match len(span):
            case 0:
                return (BROADCAST_LANES if self.lane else max(self.multiple, BROADCAST_LANES),)
            case 1 if "lane" in span:
                return tuple(self._padded(n) for n in self.lane_counts()) if self.flat else (self._padded(self.pitch),)
            case 1:
                return (round_up(self.rows, max(self.multiple, BROADCAST_LANES)),)
        return tuple(self._padded(n * self.pitch) for n in self.row_counts())

    def count(self, span: Span) -> str:
        """C text of the number of elements that an instruction on such values works on."""
        sizes = self.elements(span)
        if len(sizes) == 1:
            return str(sizes[0])
        return "padded" if self.uses_padded(span) else "lanes" if self.flat else "elements"

    def uses_padded(self, span: Span) -> bool:
        """Does the count need a variable of its own, beside the lanes (or elements) of the tile?"""
        if len(span) == 2:
            plain = tuple(n * self.pitch for n in self.row_counts())
        elif self.flat and "lane" in span:
            plain = self.lane_counts()
        else:
            return False
        return self.elements(span) != plain

    def covered(self, span: Span, dtype: str) -> bool:
        """Does a copy that pads to 32 bytes write every element that is computed on?"""
        block = BLOCK_BYTES // BYTES[dtype]
        match len(span):
            case 0:  # Brcb spreads 16 and 32 bits over a whole repeat; other types stay as they are
                return BYTES[dtype] in (2, 4) or self.elements(span)[0] <= block
            case 1 if "lane" in span and self.flat:
                return self.multiple == 1 or all(self._padded(n) <= round_up(n, block) for n in self.lane_counts())
            case 1 if "lane" in span:
                return self._padded(self.pitch) <= round_up(self.lanes, block)
            case 1:
                return self.elements(span)[0] <= round_up(min(self.row_counts()), block)
        full = self.pitch == round_up(self.lanes, block)
        return full and all(self._padded(n * self.pitch) == n * self.pitch for n in self.row_counts())

    def _padded(self, count: int) -> int:
        return round_up(count, self.multiple)


def _counts(tile: int, extent: int) -> tuple[int, ...]:
    if extent <= tile:
        return (extent,)
    return (tile, extent % tile) if extent % tile else (tile,)
