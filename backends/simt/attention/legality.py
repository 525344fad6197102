"""Does an attention fit the machine with a tile of rows? Asked before any text is made."""

from __future__ import annotations

from uol.backends.simt.attention.candidates import ROW_TILES
from uol.backends.simt.attention.schedule import LANES_A_ROW, RowTile
from uol.backends.simt.attention.tiles import accumulators, row_blocks, shared_bytes
from uol.backends.simt.machine.fitting import fitting
from uol.backends.simt.machine.target import Machine
from uol.backends.simt.products.legality import REGISTERS_FOR_TILE
from uol.codegen.backend import Footprint, Refusal
from uol.codegen.specs.nodes import Attention


def check_row_tile(spec: Attention, tile: RowTile, machine: Machine) -> Footprint | Refusal:
    """Shared bytes, threads and grid; or why there is no such kernel, and a tile for which there is."""
    reason = _row_tile_defect(spec, tile, machine)
    if reason is None:
        return fitting(machine, tile.threads, row_blocks(spec, tile), shared_bytes(spec, tile))
    legal = next((t for t in ROW_TILES if _row_tile_defect(spec, t, machine) is None), None)
    return Refusal(reason, None if legal is None else legal.describe())


def _row_tile_defect(spec: Attention, tile: RowTile, machine: Machine) -> str | None:
    if min(tile.rows, tile.cols, tile.k, tile.thread_rows) <= 0 or tile.rows % tile.thread_rows or tile.cols % LANES_A_ROW:
        return f"{tile.thread_rows} rows a thread do not divide {tile.rows}, or {LANES_A_ROW} not {tile.cols} cols"
    if tile.cols % tile.k:
        return f"steps of {tile.k} do not divide a tile of {tile.cols} cols"
    owned = accumulators(spec, tile)
    if owned > REGISTERS_FOR_TILE:
        return f"{owned} accumulators a thread are more than {REGISTERS_FOR_TILE}"
    if tile.threads > machine.max_threads or tile.threads % machine.lanes:
        return f"{tile.threads} threads are not a multiple of {machine.lanes} up to {machine.max_threads}"
    needed = shared_bytes(spec, tile)
    if needed > machine.shared_bytes:
        return f"{tile.rows} rows and {tile.cols} cols take {needed} bytes of shared memory; a block has {machine.shared_bytes}"
    return None
