"""Candidate schedules, best first."""

from __future__ import annotations

from collections.abc import Iterable

from uol.backends.simt.attention.tiles import row_blocks
from uol.backends.simt.c_text.counters import count_of
from uol.backends.simt.contract_plan import grid_of
from uol.backends.simt.operand import smallest_stride
from uol.backends.simt.schedules import BlockPerRow, Elements, RowTile, SimtSchedule, ThreadPerRow, Tile
from uol.codegen.backend import Device
from uol.codegen.specs.nodes import Attention, Contract, KernelSpec, Map, Pack, Reduce
from uol.codegen.specs.traverse import expressions, reads

THREADS = 256
"""A block that fills every SIMT machine: several fit a core at any register use below 64 a thread."""

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
            return (Elements(THREADS),)
        case Reduce():
            return _rows(spec, device, lanes)
        case Contract():
            return sorted(TILES, key=lambda tile: _tile_time(spec, tile, device))
        case Attention():
            return sorted(ROW_TILES, key=lambda tile: _row_tile_time(spec, tile, device))
    return ()


def _rows(spec: Reduce, device: Device, lanes: int) -> tuple[SimtSchedule, ...]:
    """A thread a row where rows are short, or lie side by side and are many; else a block, as wide as the row."""
    rows, columns = count_of(spec.rows), count_of(spec.cols)
    whole_warps = -(-columns // lanes) * lanes
    block = BlockPerRow(min(THREADS, max(_power_of_two(whole_warps), lanes)))
    thread = ThreadPerRow(THREADS)
    fills_the_device = rows >= device.cores * THREADS // 4
    if columns < lanes or (_lanes_want_rows(spec) and fills_the_device):
        return thread, block
    return block, thread


def _lanes_want_rows(spec: Reduce) -> bool:
    """Do most reads step less along the rows than along the columns?"""
    votes = 0
    for expr in expressions(spec):
        for read in reads(expr):
            votes += 1 if smallest_stride(read, spec.rows) < smallest_stride(read, spec.cols) else -1
    return votes > 0


def _tile_time(spec: Contract, tile: Tile, device: Device) -> float:
    """Time in arbitrary units: waves of blocks."""
    waves = -(-grid_of(spec, tile).blocks // device.cores)
    return waves * _step_time(tile.thread_m, tile.thread_n, tile.threads)


def _row_tile_time(spec: Attention, tile: RowTile, device: Device) -> float:
    """The same for the rows of an attention, which meet all cols."""
    waves = -(-row_blocks(spec, tile) // device.cores)
    tiles = -(-count_of(spec.cols) // tile.cols)
    return waves * tiles * _step_time(tile.thread_rows, tile.thread_cols, tile.threads)


def _step_time(rows: int, columns: int, threads: int) -> float:
    """Of a block for one step along k, whose threads have rows x columns of a product each: multiply-adds, and reads of
    shared memory.

    A thread reads rows + columns values for rows * columns multiply-adds, and a warp reads 32 values in the time of one
    multiply-add of each lane: small register tiles pay for their reads.
    """
    return (rows * columns + rows + columns) * threads


def _power_of_two(number: int) -> int:
    return 1 << max(number - 1, 0).bit_length()
