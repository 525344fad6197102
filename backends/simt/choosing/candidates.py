"""The schedules that a kernel may take, best first, and whether it fits the machine with one: asked before any text is made."""

from __future__ import annotations

from collections.abc import Iterable

from uol.backends.simt.attention.schedule import LANES_A_ROW, RowTile
from uol.backends.simt.attention.tiles import accumulators, row_blocks, shared_bytes
from uol.backends.simt.choosing.schedules import SimtSchedule
from uol.backends.simt.choosing.tile_counts import attention_counts, contract_counts
from uol.backends.simt.elements.histogram_plan import bins, bins_bytes, places_of
from uol.backends.simt.elements.map_plan import grid_of
from uol.backends.simt.elements.schedule import Bins, Elements, TransposedTile
from uol.backends.simt.elements.transposed import blocks_of, crossing_of, tile_across, tiled_bytes
from uol.backends.simt.elements.wide_axes import elements_side_by_side
from uol.backends.simt.machine.fitting import fitting, parts_by
from uol.backends.simt.machine.limits import THREADS
from uol.backends.simt.machine.target import Target
from uol.backends.simt.products.contract_plan import grid_of as tiles_of
from uol.backends.simt.products.contract_plan import tile_bytes
from uol.backends.simt.products.schedule import Tile
from uol.backends.simt.rows.legality import check_rows
from uol.backends.simt.rows.row_schedules import row_schedules
from uol.backends.simt.rows.schedule import BlockPerRow, ThreadPerRow
from uol.backends.simt.rows.select_plan import blocks_of as blocks_of_order
from uol.backends.simt.rows.select_plan import shared_bytes as sort_bytes
from uol.backends.simt.rows.select_plan import tile_of
from uol.backends.simt.rows.tile_sort import EACH, MOST_EACH, each_of
from uol.codegen.backend import Device, Footprint, Refusal
from uol.codegen.cost import time_of
from uol.codegen.indexing.arithmetic import size
from uol.codegen.specs.drop_unit_axes import without_unit_axes
from uol.codegen.specs.nodes import Attention, Contract, KernelSpec, Map, Pack, Reduce, Scan, Scatter, Select
from uol.codegen.work import Issued

TILES = (
    Tile(128, 128, 16, 8, 8),
    Tile(64, 64, 16, 4, 4),
    Tile(32, 64, 16, 2, 4),
    Tile(64, 32, 16, 4, 2),
    Tile(32, 32, 16, 2, 2),
    Tile(16, 64, 16, 2, 4),
    Tile(64, 16, 16, 4, 2),
    Tile(16, 16, 16, 2, 2),
)


ROW_TILES = (
    RowTile(64, 64, 16, 4),
    RowTile(64, 32, 16, 4),
    RowTile(32, 32, 16, 2),
    RowTile(16, 32, 16, 1),
    RowTile(16, 16, 16, 1),
    RowTile(4, 16, 16, 1),
)


def candidates(spec: KernelSpec, device: Device, lanes: int) -> Iterable[SimtSchedule]:
    """Every schedule that a spec may take on a device, in the order in which they are worth trying."""
    match spec:
        case Map() | Pack():
            width = side_by_side(spec)
            plain = (Elements(THREADS, width), Elements(THREADS)) if width > 1 else (Elements(THREADS),)
            crossing = crossing_of(tidy := without_unit_axes(spec))
            return plain if crossing is None else (tile_across(tidy, crossing), *plain)
        case Scatter():
            return (bins(spec, device), Elements(THREADS)) if places_of(spec) else (Elements(THREADS),)
        case Reduce() | Scan():
            return row_schedules(spec, device, lanes)
        case Select():
            return (BlockPerRow(max(tile_of(spec) // EACH, lanes)),)
        case Contract():
            return sorted(TILES, key=lambda tile: _cost(contract_counts(spec, tile, device), device))
        case Attention():
            return sorted(ROW_TILES, key=lambda tile: _cost(attention_counts(spec, tile, device), device))
    return ()


def side_by_side(spec: Map | Pack | Scatter) -> int:
    """Elements that one access may have, along the last axis that has several."""
    return 1 if isinstance(spec, Scatter) else elements_side_by_side(spec)


def _cost(counts: Issued, device: Device) -> tuple[float, float]:
    """The modelled time; of tiles whose longest part is alike, as one wait for memory is, that of all parts one by one."""
    time = time_of(counts, device)
    return time.seconds, sum(time.parts.values())


REGISTERS_FOR_TILE = 128
"""Accumulators a thread may own: half of the 255 registers that a thread has (CUDA C++ Programming Guide, technical
specifications; CDNA2 has 512), the rest is for operands and addresses."""


def check(spec: KernelSpec, schedule: SimtSchedule, target: Target) -> Footprint | Refusal:
    """Shared bytes, threads and grid of a kernel, or why it cannot be one."""
    types = sorted({a.dtype for a in spec.args} - target.capability.dtypes)
    if types:
        return Refusal(f"{target.name} kernels hold no {types[0]}", f"one of {', '.join(sorted(target.capability.dtypes))}")
    match spec, schedule:
        case (Map() | Pack() | Scatter(), Elements(threads=threads, each=each)):
            if each < 1 or (each > 1 and side_by_side(spec) % each):
                return Refusal(f"{each} elements do not lie side by side", f"{side_by_side(spec)} elements a thread")
            return fitting(target, threads, grid_of(parts_by(size(spec.axes), threads * each), target.max_blocks(threads)), 0)
        case (Scatter(), Bins()):
            return _bins(spec, schedule, target)
        case (Map() | Pack(), TransposedTile()):
            return _transposed(spec, schedule, target)
        case (Reduce(), ThreadPerRow() | BlockPerRow()):
            return check_rows(spec, schedule, target)
        case (Scan(), ThreadPerRow() | BlockPerRow(rows=1, staged=False)):
            return check_rows(spec, schedule, target)
        case (Select(), BlockPerRow(rows=1, each=1, staged=False)):
            return _order(spec, schedule, target)
        case (Contract(), Tile()):
            return _tile(spec, schedule, target)
        case (Attention(), RowTile()):
            return _row_tile(spec, schedule, target)
    return Refusal(f"a {type(spec).__name__} kernel has no schedule {type(schedule).__name__}")


def _bins(spec: Scatter, schedule: Bins, target: Target) -> Footprint | Refusal:
    if places_of(spec) is None or schedule.turns < 1:
        return Refusal("too many places for a block, or too few points for its places", "one element a thread")
    blocks = parts_by(size(spec.index), schedule.threads * schedule.turns)
    return fitting(target, schedule.threads, blocks, bins_bytes(spec))


def _order(spec: Select, schedule: BlockPerRow, target: Target) -> Footprint | Refusal:
    """A block for each row, or for each tile of two runs that are merged."""
    threads, tile = schedule.threads, tile_of(spec)
    if each_of(tile, threads) > MOST_EACH or threads & (threads - 1):
        return Refusal(f"{threads} threads do not sort a tile of {tile}", f"{tile // EACH} threads")
    return fitting(target, threads, blocks_of_order(spec), sort_bytes(spec))


def _transposed(spec: Map | Pack, tile: TransposedTile, target: Target) -> Footprint | Refusal:
    tidy = without_unit_axes(spec)
    crossing = crossing_of(tidy)
    if crossing is None:
        return Refusal("nothing lies across the result", "one element a thread")
    best, rows = tile_across(tidy, crossing), tile.rows_a_turn
    if tile.each < 1 or best.each % tile.each or tile.side % tile.each or not rows or tile.side % rows:
        return Refusal(f"{tile.threads} threads of {tile.each} elements do not go over {tile.side} rows", best.describe())
    return fitting(target, tile.threads, blocks_of(tidy, crossing, tile), tiled_bytes(crossing, tile))


def _tile(spec: Contract, tile: Tile, target: Target) -> Footprint | Refusal:
    reason = _tile_defect(spec, tile, target)
    if reason is None:
        return fitting(target, tile.threads, tiles_of(spec, tile).blocks, tile_bytes(spec, tile))
    legal = [t for t in TILES if _tile_defect(spec, t, target) is None]
    nearest = min(legal, key=lambda t: abs(t.m - tile.m) + abs(t.n - tile.n) + abs(t.k - tile.k), default=None)
    return Refusal(reason, None if nearest is None else nearest.describe())


def _tile_defect(spec: Contract, tile: Tile, target: Target) -> str | None:
    if min(tile.m, tile.n, tile.k, tile.thread_m, tile.thread_n) <= 0 or tile.m % tile.thread_m or tile.n % tile.thread_n:
        return f"{tile.thread_m} x {tile.thread_n} a thread do not divide a tile of {tile}"
    if tile.thread_m * tile.thread_n > REGISTERS_FOR_TILE:
        return f"{tile.thread_m} x {tile.thread_n} accumulators a thread are more than {REGISTERS_FOR_TILE}"
    lanes, most = target.capability.lanes, target.capability.max_threads
    if tile.threads > most or tile.threads % lanes:
        return f"tile {tile} takes {tile.threads} threads, which is not a multiple of {lanes} up to {most}"
    needed = tile_bytes(spec, tile)
    if needed > target.shared_bytes:
        return f"tile {tile} in {spec.acc_dtype} takes {needed} bytes of shared memory; a block has {target.shared_bytes}"
    return None


def _row_tile(spec: Attention, tile: RowTile, target: Target) -> Footprint | Refusal:
    reason = _row_tile_defect(spec, tile, target)
    if reason is None:
        return fitting(target, tile.threads, row_blocks(spec, tile), shared_bytes(spec, tile))
    legal = next((t for t in ROW_TILES if _row_tile_defect(spec, t, target) is None), None)
    return Refusal(reason, None if legal is None else legal.describe())


def _row_tile_defect(spec: Attention, tile: RowTile, target: Target) -> str | None:
    if min(tile.rows, tile.cols, tile.k, tile.thread_rows) <= 0 or tile.rows % tile.thread_rows or tile.cols % LANES_A_ROW:
        return f"{tile.thread_rows} rows a thread do not divide {tile.rows}, or {LANES_A_ROW} not {tile.cols} cols"
    if tile.cols % tile.k:
        return f"steps of {tile.k} do not divide a tile of {tile.cols} cols"
    owned = accumulators(spec, tile)
    if owned > REGISTERS_FOR_TILE:
        return f"{owned} accumulators a thread are more than {REGISTERS_FOR_TILE}"
    if tile.threads > target.capability.max_threads or tile.threads % target.capability.lanes:
        return f"{tile.threads} threads are not a multiple of {target.capability.lanes} up to {target.capability.max_threads}"
    needed = shared_bytes(spec, tile)
    if needed > target.shared_bytes:
        return f"{tile.rows} rows and {tile.cols} cols take {needed} bytes of shared memory; a block has {target.shared_bytes}"
    return None
