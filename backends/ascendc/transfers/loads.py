"""Reads of global memory into UB: bursts where lanes are contiguous, Gather from a staging buffer where they are not, the
scalar unit as a last resort.

A tile of rows * lanes elements lies at offset + row * row_stride + lane * lane_stride:

    lane_stride 1             DataCopyPad, one burst a row
    row_stride 1              bursts along the rows, then Gather (a transposition)
    small constant stride     the span as one burst a row, then Gather
    any constant stride       one burst of one element a lane (32 B apart in UB), then Gather
    anything else             GetValue and SetValue
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from uol.backends.ascendc.instructions import Buffer, View
from uol.backends.ascendc.machine import BLOCK_BYTES, BYTES, MAX_BURSTS, round_up
from uol.backends.ascendc.transfers.copies import Burst, Clip, burst_in, clip_of
from uol.backends.ascendc.transfers.fills import Fill, element_text, fill_buffer, fill_of
from uol.backends.ascendc.transfers.indices import Indices, stride_of, uses
from uol.backends.ascendc.vector.tile import LANES, ROWS, UNIFORM, Frame, Span
from uol.backends.ascendc.vector.unit import VectorUnit, offset_table
from uol.backends.ascendc.vector.values import Lanes
from uol.codegen.indexing.arithmetic import add, substituted
from uol.codegen.specs.nodes import Read
from uol.ir.integers.intervals import Interval
from uol.ir.program.nodes import Expr, Var

SPAN_BYTES = 64
"""A strided read takes the whole span where its elements lie at most this far apart: two blocks a lane."""
ROW, LANE = "i", "j"
"""The loop variables within a tile, in C; in expressions they are in brackets, so that no axis of an op is called so."""
EQUAL_LANES = 8
"""How many lanes a value that is the same for a whole tile has."""


@dataclass(slots=True)
class Loader:
    """Emits the loads of one kernel. `tensors` names the GlobalTensor of each arg; `slots` is 2 for double buffering."""

    unit: VectorUnit
    indices: Indices
    tensors: Mapping[str, str]
    slots: int = 1

    @property
    def frame(self) -> Frame:
        return self.unit.frame

    def fetch(self, read: Read) -> Callable[[], Lanes]:
        """Starts the copies of a read; what is returned finishes it on the vector unit and gives its lanes."""
        frame, origins = self.frame, self.frame.origins()
        lane = stride_of(read, frame.lane, self.indices)
        row = stride_of(read, frame.row, self.indices) if frame.row else 0
        span = self._span(read, lane, row)
        clip = clip_of(read.guard, frame.lane, frame.row, origins, self.indices)
        if lane is None or row is None or lane < 0 or row < 0 or clip is None or _filled_sideways(clip, lane, row):
            return self._by_element(read, span)
        if span == UNIFORM and BYTES[read.dtype] == 8:  # no instruction makes equal lanes of it
            return self._by_element(read, span)
        if span == ROWS:  # the rows are the lanes of such a load
            clip = Clip(clip.condition, clip.rows, ())
        burst = self._burst(read, span, lane, row)
        stride = row if span == ROWS else lane
        if stride <= 1 or burst.max_lanes == 1:
            return self._contiguous(read, burst, clip, span)
        if BYTES[read.dtype] not in (2, 4):
            return self._by_element(read, span)
        return self._strided(read, burst, stride, clip, span)

    def _span(self, read: Read, lane: int | None, row: int | None) -> Span:
        """Along which of the tile's axes the value varies: by its address or by its guards."""
        span: Span = frozenset()
        if lane != 0 or any(uses(g, (self.frame.lane,)) for g in read.guard):
            span |= LANES
        if self.frame.row and (row != 0 or any(uses(g, (self.frame.row,)) for g in read.guard)):
            span |= ROWS
        return span

    def _burst(self, read: Read, span: Span, lane: int, row: int) -> Burst:
        """The tile as it would be copied if its lanes were contiguous."""
        frame = self.frame
        base = self.indices.text(substituted(read.offset, frame.origins()))
        common = Burst(self.tensors[read.tensor], base, read.dtype, "1", 1)
        if span == UNIFORM:
            return common
        if span == ROWS:
            return replace(common, lanes=frame.rows_text(), max_lanes=frame.rows)
        line = replace(common, lanes=frame.lanes_text(), max_lanes=frame.lanes)
        if span == LANES:
            return line
        return replace(line, rows=frame.rows_text(), max_rows=frame.rows, row_stride=row, pitch=frame.pitch)

    def _stem(self, read: Read) -> str:
        return self.tensors[read.tensor].removesuffix("_gm")

    def _contiguous(self, read: Read, burst: Burst, clip: Clip, span: Span) -> Callable[[], Lanes]:
        elements = round_up(self.frame.capacity(span), burst.block)
        dst = self.unit.builder.buffer(Buffer(f"{self._stem(read)}_ub", read.dtype, elements, slots=self.slots))
        self._prepare(read, dst, clip, self.frame.covered(span, read.dtype))
        exact = self.frame.flat and self.frame.multiple == 1 and span == LANES
        burst_in(self.unit.builder, dst, burst, clip, self._fill(read), padded=not exact)
        if span == UNIFORM:
            return lambda: self._replicated(read, dst)
        return lambda: Lanes(dst, span, spare=False)

    def _fill(self, read: Read) -> Fill:
        return fill_of(read, self.indices.names)

    def _prepare(self, read: Read, dst: View, clip: Clip, covered: bool) -> None:
        """What the copy does not write: the fill each time where guards clip, anything initialised once for padding."""
        if clip.partial:
            fill_buffer(self.unit.builder, dst, self._fill(read))
        elif not covered:
            with self.unit.builder.prologue():
                fill_buffer(self.unit.builder, replace(dst, whole=True), 0)

    def _replicated(self, read: Read, dst: View) -> Lanes:
        """One element as eight equal lanes. Brcb moves 2 or 4 bytes: a byte goes by way of half, which holds it exactly."""
        if BYTES[dst.dtype] == 1:
            dst = self.unit.cast(Lanes(dst, UNIFORM, spare=False), "f16", "NONE").view
        spread = self.unit.builder.buffer(Buffer(f"{self._stem(read)}_all", dst.dtype, 8 * BLOCK_BYTES // BYTES[dst.dtype]))
        self.unit.spread_blocks(spread, dst, 1)
        lanes = Lanes(spread, UNIFORM, spare=False)
        byte = "u8" if read.dtype == "bool" else read.dtype
        return lanes if BYTES[read.dtype] > 1 else self.unit.cast(lanes, byte, "RINT").kept()

    def _strided(self, read: Read, burst: Burst, stride: int, clip: Clip, span: Span) -> Callable[[], Lanes]:
        size = BYTES[read.dtype]
        turned = burst.max_rows > 1 and burst.row_stride == 1 and stride >= burst.max_rows and burst.max_lanes <= MAX_BURSTS
        if turned:
            staging, step, row_step = self._staged_by_rows(read, burst, stride, clip)
        elif stride * size <= SPAN_BYTES:
            staging, step, row_step = self._staged_span(read, burst, stride, clip)
        else:
            staging, step, row_step = self._staged_blocks(read, burst, stride, clip)
        table = offset_table(self.unit, step, ROWS if span == ROWS else LANES)
        return lambda: self._gathered(read, burst, span, staging, table, row_step)

    def _gathered(self, read: Read, burst: Burst, span: Span, staging: View, table: View, row_step: int) -> Lanes:
        frame = self.frame
        dst = self.unit.builder.buffer(Buffer(f"{self._stem(read)}_lanes", read.dtype, frame.capacity(span)))
        if burst.max_rows == 1:
            self.unit.emit(f"Gather({dst}, {staging}, {table}, 0, {frame.count(span)});", (staging, table), (dst,))
            return Lanes(dst, span)
        with self.unit.builder.loop("i", str(frame.rows), ctype="int", least=1):
            row = dst.at(f"i * {frame.pitch}", per="i")
            self.unit.emit(f"Gather({row}, {staging}, {table}, i * {row_step}, {frame.pitch});", (staging, table), (row,))
        return Lanes(dst, span)

    def _staged_by_rows(self, read: Read, burst: Burst, stride: int, clip: Clip) -> tuple[View, int, int]:
        """Bursts along the rows, one a lane."""
        pitch = round_up(burst.max_rows, burst.block)
        staging = self._staging(read, pitch * round_up(burst.max_lanes, self.frame.room))
        self._prepare(read, staging, clip, covered=False)
        turned = replace(burst, lanes=burst.rows, max_lanes=burst.max_rows, rows=burst.lanes, max_rows=burst.max_lanes)
        turned = replace(turned, row_stride=stride, pitch=pitch)
        burst_in(self.unit.builder, staging, turned, Clip(clip.condition, clip.rows, clip.lanes), self._fill(read), padded=True)
        return staging, pitch * BYTES[read.dtype], BYTES[read.dtype]

    def _staged_span(self, read: Read, burst: Burst, stride: int, clip: Clip) -> tuple[View, int, int]:
        """Whole spans, from the first lane's element to the last one's."""
        size = BYTES[read.dtype]
        pitch = round_up(round_up(burst.max_lanes, self.frame.room) * stride, burst.block)
        staging = self._staging(read, pitch * burst.max_rows)
        self._prepare(read, staging, clip, covered=False)
        burst_in(self.unit.builder, staging, replace(burst, step=stride, pitch=pitch), clip, self._fill(read), padded=True)
        return staging, stride * size, pitch * size

    def _staged_blocks(self, read: Read, burst: Burst, stride: int, clip: Clip) -> tuple[View, int, int]:
        """One block a lane: bursts of one element."""
        pitch = burst.block * round_up(burst.max_lanes, self.frame.room)
        staging = self._staging(read, pitch * burst.max_rows)
        self._prepare(read, staging, clip, covered=False)
        column = replace(
            burst, lanes="1", max_lanes=1, rows=burst.lanes, max_rows=burst.max_lanes, row_stride=stride, pitch=burst.block
        )
        if burst.max_rows == 1:
            burst_in(self.unit.builder, staging, column, Clip(clip.condition, (), clip.lanes), self._fill(read), padded=True)
            return staging, BLOCK_BYTES, pitch * BYTES[read.dtype]
        with self.unit.builder.loop("i", burst.rows, least=1):
            held = Clip(clip.condition_with_rows("i"), (), clip.lanes)
            moved = replace(column, base=f"{column.base} + i * {burst.row_stride}")
            burst_in(self.unit.builder, staging.at(f"i * {pitch}", per="i"), moved, held, self._fill(read), padded=True)
        return staging, BLOCK_BYTES, pitch * BYTES[read.dtype]

    def _staging(self, read: Read, elements: int) -> View:
        return self.unit.builder.buffer(Buffer(f"{self._stem(read)}_staging", read.dtype, elements, slots=self.slots))

    def _by_element(self, read: Read, span: Span) -> Callable[[], Lanes]:
        elements = round_up(self.frame.capacity(span), BLOCK_BYTES // BYTES[read.dtype])
        dst = self.unit.builder.buffer(Buffer(f"{self._stem(read)}_ub", read.dtype, elements, slots=self.slots))
        self._prepare(read, dst, Clip("", (), ()), covered=False)
        _load_by_element(self.unit, self.indices, read, dst, span, self.tensors)
        return lambda: Lanes(dst, span, spare=False)


def _filled_sideways(clip: Clip, lane: int, row: int) -> bool:
    """Is something filled along an axis along which nothing is read?"""
    return (lane == 0 and bool(clip.lanes)) or (row == 0 and bool(clip.rows))


def _load_by_element(unit: VectorUnit, indices: Indices, read: Read, dst: View, span: Span, tensors: Mapping[str, str]) -> None:
    """dst[row * pitch + lane] = the read at every row and lane of the tile; equal lanes where neither changes it. By the scalar
    unit, for addresses that no copy can follow: slow, but right. Elements are moved, never computed with: the scalar unit has
    no arithmetic on half."""
    frame, builder = unit.frame, unit.builder
    place: dict[str, Expr] = dict(frame.origins())
    loops: list[tuple[str, str]] = []
    at: list[str] = []
    if "row" in span and frame.row:
        place[frame.row] = add(frame.origin(frame.row), Var(f"<{ROW}>"))
        loops.append((ROW, frame.rows_text()))
        at.append(f"{ROW} * {frame.pitch}" if "lane" in span else ROW)
    if "lane" in span:
        place[frame.lane] = add(frame.origin(frame.lane), Var(f"<{LANE}>"))
        loops.append((LANE, frame.lanes_text()))
        at.append(LANE)
    if not loops:
        loops.append((LANE, str(EQUAL_LANES)))
        at.append(LANE)
    within = {f"<{ROW}>": Interval(0, max(frame.rows - 1, 0)), f"<{LANE}>": Interval(0, max(frame.lanes - 1, 0))}
    named = Indices({**indices.names, **{name: name[1:-1] for name in within}}, {**indices.ranges, **within})
    here = substituted(read, place)
    assert isinstance(here, Read)
    element = f"{tensors[read.tensor]}.GetValue({named.text(here.offset)})"
    index = " + ".join(at)
    if here.guard:
        element = f"{named.condition(here.guard)} ? {element} : {element_text(read.dtype, fill_of(read, indices.names))}"

    def body() -> None:
        target = dst.at("", per=loops[-1][0] if len(loops) == 1 else "")
        builder.emit("S", f"{dst}.SetValue({index}, {element});", writes=(target,), amount=("1",))

    _nested(unit, loops, body)


def _nested(unit: VectorUnit, loops: list[tuple[str, str]], body: Callable[[], None]) -> None:
    if not loops:
        body()
        return
    name, count = loops[0]
    with unit.builder.loop(name, count, least=1):
        _nested(unit, loops[1:], body)
