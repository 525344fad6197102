"""Sizes of tiles: candidates for a vector kernel, largest first, and the frame that a schedule means."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import prod

from uol.backends.ascendc.machine import BYTES, ceil_div, round_up
from uol.backends.ascendc.schedules import VectorSchedule
from uol.backends.ascendc.transfers.indices import Indices, extent, stride_of, uses
from uol.backends.ascendc.vector.compare_width import lane_multiple
from uol.backends.ascendc.vector.kernel import pitch_of
from uol.backends.ascendc.vector.tile import REPEAT_LANES, Frame
from uol.codegen.specs.nodes import KernelSpec, Reduce
from uol.codegen.specs.traverse import reads as reads_of
from uol.codegen.specs.traverse import values
from uol.ir.program.nodes import Axis
from uol.ir.program.walk import variables

LARGEST_TILE = 8192
"""Lanes: 16 KiB of f16, the least that a copy should be; more lengthens the pipeline's start and end."""
FEWEST_LANES = 512
"""A core with less than this is not worth its start."""
SMALLEST_TILE = 64
SHORT_COLS = 16
"""Rows shorter than this are folded side by side, though their elements must be gathered."""
ROW_GROUP = 8
"""Rows come in groups: with the least pitch of 16, a group is a whole repeat of f16."""
MOST_ROWS = 248
"""Repeats of an instruction that takes one a row, in groups of eight."""


def narrowest_bytes(spec: KernelSpec) -> int:
    return min((BYTES[a.dtype] for a in spec.args), default=4)


def frame_of(spec: KernelSpec, schedule: VectorSchedule, axes: Sequence[Axis]) -> Frame:
    """The frame of a schedule over the axes that its tile may use."""
    sizes = {a.name: extent(a) for a in axes}
    multiple = lane_multiple(spec, schedule.lane, over_rows=schedule.over == "rows")
    if not schedule.row:
        return Frame(schedule.lane, schedule.lanes, sizes.get(schedule.lane, 1), multiple=multiple)
    return Frame(
        schedule.lane, schedule.lanes, sizes[schedule.lane], schedule.row, schedule.rows, sizes[schedule.row],
        pitch_of(schedule.lanes, narrowest_bytes(spec)), multiple,
    )  # fmt: skip


def tile_candidates(spec: KernelSpec, axes: Sequence[Axis], cores: int) -> Iterator[VectorSchedule]:
    """Tiles over the last axis, with rows along the one before where the last is short; each half as large as the one
    before it. No tile is larger than what gives every core work."""
    if not axes:
        yield VectorSchedule("", 1)
        return
    lane, size = axes[-1], extent(axes[-1])
    total = prod(extent(a) for a in axes)
    fair = max(ceil_div(total, max(cores, 1)), FEWEST_LANES)
    budget = min(LARGEST_TILE, round_up(fair, REPEAT_LANES))
    while budget >= SMALLEST_TILE:
        pitch = pitch_of(max(size, 1), narrowest_bytes(spec))
        row = _row_axis(spec, axes, budget // pitch) if size <= budget // 2 else None
        if row is None:
            lanes = min(budget, max(size, 1))
            yield _schedule(axes, VectorSchedule(lane.name, lanes), cores)
        else:
            rows = min(budget // pitch, MOST_ROWS, round_up(extent(row), ROW_GROUP)) // ROW_GROUP * ROW_GROUP
            if rows >= ROW_GROUP:
                yield _schedule(axes, VectorSchedule(lane.name, size, row.name, rows), cores)
            else:
                yield _schedule(axes, VectorSchedule(lane.name, size), cores)
        budget //= 2


def _row_axis(spec: KernelSpec, axes: Sequence[Axis], room: int) -> Axis | None:
    """The axis that gives a tile its rows: the next one out, unless another fills the tile twice as well."""
    found: Axis | None = None
    for axis in reversed(axes[:-1]):
        rows, best = min(extent(axis), room), 0 if found is None else min(extent(found), room)
        if (found is None or rows >= 2 * best) and _walks_evenly(spec, axis.name, axes[-1].name):
            found = axis
    return found


def _walks_evenly(spec: KernelSpec, axis: str, lane: str) -> bool:
    """Can a tile have rows along the axis: is every read affine in it, and does no guard tie the row to the lane?"""
    indices = Indices.over(spec.axes, {})
    reads = [r for v in values(spec) for r in reads_of(v)]
    if any(uses(g, (axis,)) and uses(g, (lane,)) for r in reads for g in r.guard):
        return False
    by_data = any(axis in variables(inner.offset) for r in reads for inner in reads_of(r.offset))
    return not by_data and all(stride_of(r, axis, indices) is not None for r in reads)


def row_candidates(spec: Reduce, cores: int) -> Iterator[VectorSchedule]:
    """Tiles over the innermost of the cols; the rows are tasks."""
    if not spec.cols:
        return
    lane, size = spec.cols[-1].name, extent(spec.cols[-1])
    rows = prod(extent(a) for a in spec.rows)
    blocks = max(1, min(cores, rows))
    lanes = min(LARGEST_TILE, max(size, 1))
    while lanes >= 1:
        alternates = rows > blocks if lanes >= size and len(spec.cols) == 1 else True
        yield VectorSchedule(lane, lanes, over="cols", slots=2 if alternates else 1, blocks=blocks)
        lanes = lanes // 2 // REPEAT_LANES * REPEAT_LANES


def reduce_candidates(spec: Reduce, cores: int) -> Iterator[VectorSchedule]:
    """Lanes along what is contiguous: the cols where they are long, else the rows."""
    first, second = row_candidates(spec, cores), tile_candidates(spec, spec.rows, cores)
    if prod(extent(a) for a in spec.cols) > 1:
        second = (replace(s, slots=2) for s in second)
    if not _prefers_cols(spec):
        first, second = second, first
    yield from first
    yield from second


def _prefers_cols(spec: Reduce) -> bool:
    if not spec.cols:
        return False
    if not spec.rows:
        return True
    indices = Indices.over(spec.axes, {})
    reads = [r for v in values(spec) for r in reads_of(v)]
    inner, row = spec.cols[-1], spec.rows[-1]

    def direct(axis: Axis) -> bool:
        return all(stride_of(r, axis.name, indices) in (0, 1) for r in reads)

    if direct(inner) and extent(inner) >= REPEAT_LANES:
        return True
    if direct(row):
        return False
    return extent(inner) >= SHORT_COLS if direct(inner) else extent(inner) > extent(row)


def _schedule(axes: Sequence[Axis], tile: VectorSchedule, cores: int) -> VectorSchedule:
    """The tile with as many cores as there are tiles, double-buffered where a core has several."""
    tasks = 1
    for axis in axes:
        step = tile.lanes if axis.name == tile.lane else tile.rows if axis.name == tile.row else 1
        tasks *= ceil_div(extent(axis), max(step, 1))
    blocks = max(1, min(cores, tasks))
    return VectorSchedule(tile.lane, tile.lanes, tile.row, tile.rows, "rows", 2 if tasks > blocks else 1, blocks)
