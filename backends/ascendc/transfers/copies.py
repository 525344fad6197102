"""DataCopyPad between global memory and UB: two-dimensional bursts, clipped to where guards hold.

Rows start at multiples of 32 bytes in UB. A clipped row starts `left` elements into its first block: DataCopyPad writes whole
blocks, and fills what lies left and right of the burst with the padding value. Gaps are from the end of one burst to the
start of the next, in bytes on the global side and in blocks of 32 bytes on the UB side. Guards are a condition, and an interval
of rows and of lanes:

    low <= value < high,  value = slope * i + value(0)
    ceil((low - value(0)) / slope) <= i < ceil((high - value(0)) / slope)
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from uol.backends.ascendc.helpers import CEIL_DIV, GREATER, LESSER
from uol.backends.ascendc.instructions import Builder, Place, View
from uol.backends.ascendc.machine import BLOCK_BYTES, BYTES, C_TYPE, MAX_BURSTS, MAX_GAP_BYTES, ceil_div
from uol.backends.ascendc.transfers.fills import Fill, element_text
from uol.backends.ascendc.transfers.indices import Indices, uses
from uol.backends.ascendc.vector.values import Unsupported
from uol.codegen.indexing.arithmetic import substituted
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
        return gap if slope == 1 else f"{CEIL_DIV}({gap}, {slope})"

    return Interval(bound(guard.low), bound(guard.high))


def _operand(text: str) -> str:
    return text if text.isidentifier() or text.isdigit() or text.startswith("(") else f"({text})"


@dataclass(frozen=True, slots=True)
class Burst:
    """rows bursts of lanes elements: sizes as C text (with their largest values), strides and pitch in elements.

    tensor, base   the GlobalTensor and the element at which the first burst starts
    step           elements from lane to lane within a burst
    """

    tensor: str
    base: str
    dtype: str
    lanes: str
    max_lanes: int
    step: int = 1
    rows: str = "1"
    max_rows: int = 1
    row_stride: int = 0
    pitch: int = 0

    @property
    def block(self) -> int:
        return BLOCK_BYTES // BYTES[self.dtype]

    def place(self, start: str) -> Place:
        """Where the bursts lie in global memory."""
        return Place(start, self.row_stride, BYTES[self.dtype])

    @property
    def longest(self) -> int:
        return (self.max_lanes - 1) * self.step + 1 if self.max_lanes else 0

    @property
    def is_run(self) -> bool:
        """Do the rows follow each other without a gap, here and there? They are one burst then."""
        return self.step == 1 and self.max_rows > 1 and self.lanes == str(self.pitch) == str(self.row_stride)

    @property
    def one_by_one(self) -> bool:
        """Must the rows be copied each on its own? Where they overlap, or lie further apart than a gap can say."""
        if self.max_rows == 1:
            return False
        return self.row_stride < self.longest or self.row_stride * BYTES[self.dtype] > MAX_GAP_BYTES


def burst_in(builder: Builder, dst: View, burst: Burst, clip: Clip, fill: Fill, padded: bool) -> None:
    """Copies a tile into UB. `padded`: the filler up to the next block must be initialised too."""
    lane_low, lane_high = _bounds(builder, "lane", clip.lanes, burst.lanes)
    row_low, row_high = _bounds(builder, "row", clip.rows, burst.rows)
    _check(burst)
    length, start, left = _elements(_difference(lane_high, lane_low), burst.step), _times(lane_low, burst.step), "0"
    if clip.lanes:
        start = builder.variable("first", start) if burst.step > 1 else start
        length = builder.variable("count", length)
        if start != "0" and burst.longest > burst.block:
            left = builder.variable("left", f"{_closed(start)} % {burst.block}")
        else:
            left = start  # a row is one block
    inner = "0" if left == start else f"{start} - {left}"
    pads = bool(clip.lanes) or (padded and not _fills_blocks(length, burst.block))
    right = _right(left, length, burst.block) if clip.lanes else "0"
    value = element_text(burst.dtype, fill)
    padding = f"DataCopyPadExtParams<{C_TYPE[burst.dtype]}>({'true' if pads else 'false'}, {left}, {right}, {value})"
    with builder.branch(_condition(clip, lane_low, lane_high, row_low, row_high)):
        if burst.one_by_one:
            with builder.loop("i", row_high, first=row_low):
                target = dst.at(_sum(f"i * {burst.pitch}", inner), per="i")
                source = _sum(burst.base, _times("i", burst.row_stride), start)
                shape, amount = f"DataCopyExtParams(1, {_bytes(length, burst)}, 0, 0, 0)", ("1", _bytes(length, burst))
                text = f"DataCopyPad({target}, {burst.tensor}[{source}], {shape}, {padding});"
                builder.emit("MTE2", text, writes=(target,), amount=amount, place=burst.place(source))
            return
        rows = _difference(row_high, row_low)
        target = dst.at(_sum(_times(row_low, burst.pitch), inner))
        source = _sum(burst.base, _times(row_low, burst.row_stride), start)
        gaps = f"{_source_gap(length, burst)}, {_local_gap(left, length, burst)}"
        size = _bytes(length, burst)
        if burst.is_run and not clip.lanes:
            rows, size, gaps = "1", _bytes_of(rows, burst), "0, 0"
        shape = f"DataCopyExtParams({rows}, {size}, {gaps}, 0)"
        text = f"DataCopyPad({target}, {burst.tensor}[{source}], {shape}, {padding});"
        builder.emit("MTE2", text, writes=(target,), amount=(rows, size), place=burst.place(source))


def burst_out(builder: Builder, src: View, burst: Burst) -> None:
    """Copies a tile from UB to global memory: exactly its bytes."""
    _check(burst)
    length = burst.lanes
    if burst.one_by_one:
        with builder.loop("i", burst.rows):
            source = src.at(f"i * {burst.pitch}")
            target = _sum(burst.base, _times("i", burst.row_stride))
            shape, amount = f"DataCopyExtParams(1, {_bytes(length, burst)}, 0, 0, 0)", ("1", _bytes(length, burst))
            text = f"DataCopyPad({burst.tensor}[{target}], {source}, {shape});"
            builder.emit("MTE3", text, reads=(source,), amount=amount, place=burst.place(target))
        return
    rows, size = burst.rows, _bytes(length, burst)
    gaps = f"{_local_gap('0', length, burst)}, {_source_gap(length, burst)}"
    if burst.is_run:
        rows, size, gaps = "1", _bytes_of(rows, burst), "0, 0"
    shape = f"DataCopyExtParams({rows}, {size}, {gaps}, 0)"
    text = f"DataCopyPad({burst.tensor}[{burst.base}], {src}, {shape});"
    builder.emit("MTE3", text, reads=(src,), amount=(rows, size), place=burst.place(burst.base))


def _check(burst: Burst) -> None:
    if burst.max_rows > MAX_BURSTS:
        raise Unsupported(
            f"{burst.max_rows} bursts in one copy: there may be {MAX_BURSTS}", f"a tile of at most {MAX_BURSTS} rows"
        )


def _bounds(builder: Builder, what: str, intervals: tuple[Interval, ...], count: str) -> tuple[str, str]:
    """low and high of the part to copy, as variables where something clips them."""
    lows = [i.low for i in intervals if i.low is not None]
    highs = [i.high for i in intervals if i.high is not None]
    low, high = "0", count
    if lows:
        text = "0"
        for bound in lows:
            text = f"{GREATER}({text}, {bound})"
        low = builder.variable(f"{what}_low", text)
    if highs:
        text = count
        for bound in highs:
            text = f"{LESSER}({text}, {bound})"
        high = builder.variable(f"{what}_high", text)
    return low, high


def _condition(clip: Clip, lane_low: str, lane_high: str, row_low: str, row_high: str) -> str:
    parts = [clip.condition] if clip.condition else []
    parts += [f"{lane_low} < {lane_high}"] if clip.lanes else []
    parts += [f"{row_low} < {row_high}"] if clip.rows else []
    return " && ".join(parts)


def _elements(count: str, step: int) -> str:
    if step == 1:
        return count
    return str((int(count) - 1) * step + 1) if count.isdigit() else f"({_closed(count)} - 1) * {step} + 1"


def _bytes(length: str, burst: Burst) -> str:
    size = BYTES[burst.dtype]
    return str(int(length) * size) if length.isdigit() else length if size == 1 else f"{_closed(length)} * {size}"


def _bytes_of(rows: str, burst: Burst) -> str:
    """Bytes of so many rows that are a run."""
    size = burst.pitch * BYTES[burst.dtype]
    return str(int(rows) * size) if rows.isdigit() else _times(rows, size)


def _source_gap(length: str, burst: Burst) -> str:
    """Bytes of global memory between bursts."""
    if burst.max_rows == 1:
        return "0"
    size = BYTES[burst.dtype]
    if length.isdigit():
        return str((burst.row_stride - int(length)) * size)
    return f"({burst.row_stride} - {_closed(length)}) * {size}"


def _local_gap(left: str, length: str, burst: Burst) -> str:
    """Blocks of UB between bursts: a burst takes whole blocks of its row."""
    if burst.max_rows == 1:
        return "0"
    blocks = burst.pitch // burst.block
    if blocks == 1:
        return "0"
    if left == "0" and length.isdigit():
        return str(blocks - ceil_div(int(length), burst.block))
    taken = length if left == "0" else f"{left} + {length}"
    return f"{blocks} - ({taken} + {burst.block - 1}) / {burst.block}"


def _fills_blocks(length: str, block: int) -> bool:
    return length.isdigit() and int(length) % block == 0


def _right(left: str, length: str, block: int) -> str:
    """Elements from the end of the burst to the end of its last block."""
    if left == "0" and length.isdigit():
        return str(-int(length) % block)
    taken = length if left == "0" else f"{left} + {length}"
    return f"-({taken}) & {block - 1}"


def _difference(high: str, low: str) -> str:
    return high if low == "0" else f"{high} - {low}"


def _times(text: str, factor: int) -> str:
    if text == "0" or factor == 0:
        return "0"
    return text if factor == 1 else f"{_closed(text)} * {factor}"


def _sum(*terms: str) -> str:
    kept = [t for t in terms if t != "0"]
    return " + ".join(kept) or "0"


def _closed(text: str) -> str:
    """The text as an operand of * and /."""
    return text if text.replace("_", "").isalnum() else f"({text})"
