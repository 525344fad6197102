"""Sizes of tiles: candidates for a vector kernel, largest first, and the frame that a schedule means.

Lanes are padded to what instructions take: Compare whole repeats of 256 bytes, Brcb eight lanes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import prod

from uol.backends.ascendc.arithmetic.elementary import COMPARING
from uol.backends.ascendc.machine import BYTES, ceil_div, round_up
from uol.backends.ascendc.schedules import VectorSchedule
from uol.backends.ascendc.transfers.indices import Indices, extent, stride_of, uses
from uol.backends.ascendc.vector.predicates import MODES
from uol.backends.ascendc.vector.tile import BROADCAST_LANES, REPEAT_LANES, TILE, Frame
from uol.codegen.indexing.arithmetic import ZERO, sub, substituted
from uol.codegen.specs.nodes import Fold, KernelSpec, Read, Reduce, Store, Within
from uol.codegen.specs.traverse import reads as reads_of
from uol.codegen.specs.traverse import steps_of, values
from uol.ir.program.nodes import Axis, Call, Const, Expr
from uol.ir.program.walk import rewrite, variables, walk

LARGEST_TILE = 8192
"""Lanes: 16 KiB of f16, the least that a copy should be; more lengthens the pipeline's start and end."""
FEWEST_LANES = 512
"""A core with less than this is not worth its start."""
SMALLEST_TILE = 64
WIDEST_COLUMNS = 1024
"""Results in a row that are fewer than a good copy of them alone."""
FEWEST_ROWS = 64
"""Elements to be folded from which on accumulators side by side are worth being folded in the end."""
SHORT_COLS = 16
"""Rows shorter than this are folded side by side, though their elements must be gathered."""
ROW_GROUP = 8
"""Rows come in groups: with the least pitch of 16, a group is a whole repeat of f16."""
MOST_ROWS = 248
"""Repeats of an instruction that takes one a row, in groups of eight."""
FLAT_PITCH = 64
NARROW_PITCH = 16
"""Elements from row to row of a tile: rows of more than a repeat take whole repeats, short ones whole blocks of f16."""

LOGICAL = frozenset({"select", "and", "or", "not", "max", "min", "shift_left", "shift_right"}) | frozenset(MODES) | COMPARING
SIMPLE_FOLDS = frozenset({"sum", "prod", "any", "all"})
"""What one instruction folds; an extremum has steps for NaN."""
COMPARING_FOLDS = frozenset({"max", "min", "any", "all", "argmax", "argmin"})
HALF_REPEAT_LANES = 2 * REPEAT_LANES


def _narrowest_bytes(spec: KernelSpec) -> int:
    return min((BYTES[a.dtype] for a in spec.args), default=4)


def frame_of(spec: KernelSpec, schedule: VectorSchedule, axes: Sequence[Axis]) -> Frame:
    """The frame of a schedule over the axes that its tile may use."""
    sizes = {a.name: extent(a) for a in axes}
    multiple = _lane_multiple(spec, schedule.lane, over_rows=schedule.over == "rows")
    if not schedule.row:
        return Frame(schedule.lane, schedule.lanes, sizes.get(schedule.lane, 1), multiple=multiple)
    return Frame(
        schedule.lane, schedule.lanes, sizes[schedule.lane], schedule.row, schedule.rows, sizes[schedule.row],
        _pitch_of(schedule.lanes, _narrowest_bytes(spec)), multiple,
    )  # fmt: skip


def _pitch_of(lanes: int, _narrowest_bytes: int) -> int:
    """The pitch of a tile whose rows have `lanes` lanes: every type's rows must start at a block."""
    if lanes > FLAT_PITCH:
        return round_up(lanes, FLAT_PITCH)
    return round_up(lanes, max(NARROW_PITCH, 32 // _narrowest_bytes))


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
        pitch = _pitch_of(max(size, 1), _narrowest_bytes(spec))
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


def column_candidates(spec: Reduce, cores: int) -> Iterator[VectorSchedule]:
    """Tiles of all results of a row by rows along the longest of the cols, which accumulate side by side: where results lie
    next to each other and are few, a copy takes many of these rows."""
    if not spec.rows or not spec.cols:
        return
    lane, row = spec.rows[-1], max(spec.cols, key=extent)
    if extent(lane) > WIDEST_COLUMNS or extent(row) < FEWEST_ROWS or not _lie_side_by_side(spec, lane):
        return
    if not _walks_evenly(spec, row.name, lane.name) or row_end(spec, row) is None:
        return
    pitch = _pitch_of(extent(lane), _narrowest_bytes(spec))
    tasks = prod(extent(a) for a in spec.rows[:-1])
    rows = LARGEST_TILE // pitch
    while rows >= ROW_GROUP:
        if min(rows, MOST_ROWS) >= extent(row):
            rows //= 2
            continue
        tile = VectorSchedule(lane.name, extent(lane), row.name, min(rows, MOST_ROWS), "rows", 2, max(1, min(cores, tasks)))
        if not frame_of(without_conditions(spec), tile, spec.axes).uses_padded(TILE):
            yield tile
        rows //= 2


def row_end(spec: Reduce, row: Axis) -> Expr | None:
    """The index at which the rows that are folded end: the extent of their axis, or less where all folds say so by one
    condition. None where they do not end at one place, or where no single instruction folds two values."""
    folds = [s for s in spec.steps if isinstance(s, Fold)]
    conditions = {fold.where for fold in folds}
    if len(conditions) != 1 or any(fold.op not in SIMPLE_FOLDS for fold in folds):
        return None
    (where,) = conditions
    if not where:
        return row.extent
    match where:
        case (Call(fn="<", args=(place, Const() as end)),) if Indices.over(spec.axes, {}).slope(place, row.name) == 1:
            first = substituted(place, {row.name: ZERO})
            return None if variables(first) & {a.name for a in (*spec.cols, spec.rows[-1])} else sub(end, first)
    return None


def without_conditions(spec: Reduce) -> Reduce:
    """The Reduce whose folds leave nothing out, and read nothing that was left out."""
    return replace(spec, steps=tuple(_everywhere(s) if isinstance(s, Fold) and s.where else s for s in spec.steps))


def _everywhere(fold: Fold) -> Fold:
    known = {Within(c.args[0], None, c.args[1]) for c in fold.where if isinstance(c, Call) and c.fn == "<"}

    def rule(node: Expr) -> Expr | None:
        if not isinstance(node, Read) or known.isdisjoint(node.guard):
            return None
        guard = tuple(g for g in node.guard if g not in known)
        return replace(node, guard=guard, fill=node.fill if guard else None)

    return replace(fold, where=(), value=rewrite(fold.value, rule))


def _lie_side_by_side(spec: Reduce, lane: Axis) -> bool:
    indices = Indices.over(spec.axes, {})
    return all(stride_of(r, lane.name, indices) in (0, 1) for v in values(spec) for r in reads_of(v))


def reduce_candidates(spec: Reduce, cores: int) -> Iterator[VectorSchedule]:
    """Lanes along what is contiguous: the cols where they are long, else the rows."""
    if not _prefers_cols(spec):
        yield from column_candidates(spec, cores)
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


def _lane_multiple(spec: KernelSpec, lane: str, *, over_rows: bool) -> int:
    """What the lanes of a tile must be padded to."""
    if _compares(spec):
        halves = _takes_halves if over_rows else _compares_halves
        return HALF_REPEAT_LANES if lane and any(halves(n) for v in values(spec) for n in walk(v)) else REPEAT_LANES
    indices = Indices.over(spec.axes, {})
    spread = any(indices.slope(s.offset, lane) not in (0, 1) for s in steps_of(spec) if isinstance(s, Store))
    return BROADCAST_LANES if spread else 1


def _compares(spec: KernelSpec) -> bool:
    """Is there a comparison, a selection, an extremum or a condition among the steps?"""
    if any(isinstance(s, Fold) and (s.op in COMPARING_FOLDS or s.where) for s in steps_of(spec)):
        return True
    return any(_is_logical(n) for v in values(spec) for n in walk(v))


def _takes_halves(node: Expr) -> bool:
    """Is this a value of f16, which a comparison may be made on?"""
    return isinstance(node, Read) and node.dtype == "f16"


def _compares_halves(node: Expr) -> bool:
    """Are these values of f16 that are compared as they are? A fold across lanes takes all others as f32."""
    return isinstance(node, Call) and _is_logical(node) and any(a.type == "f16" for a in node.args)


def _is_logical(node: Expr) -> bool:
    return node.type == "bool" or (isinstance(node, Call) and node.fn in LOGICAL and node.dtype != "idx")
