"""Does a product fit the machine with a tile? Asked before any text is made."""

from __future__ import annotations

from uol.backends.simt.machine.fitting import fitting
from uol.backends.simt.machine.target import Machine
from uol.backends.simt.products.blocks import grid_of
from uol.backends.simt.products.candidates import TILES
from uol.backends.simt.products.schedule import Tile
from uol.backends.simt.products.tile_kernel import tile_bytes
from uol.codegen.backend import Footprint, Refusal
from uol.codegen.specs.nodes import Contract

REGISTERS_FOR_TILE = 128
"""Accumulators a thread may own: half of the 255 registers that a thread has (CUDA C++ Programming Guide, technical
specifications; CDNA2 has 512), the rest is for operands and addresses."""


def check_tile(spec: Contract, tile: Tile, machine: Machine) -> Footprint | Refusal:
    """Shared bytes, threads and grid; or why there is no such kernel, and the nearest tile."""
    reason = _tile_defect(spec, tile, machine)
    if reason is None:
        return fitting(machine, tile.threads, grid_of(spec, tile).blocks, tile_bytes(spec, tile))
    legal = [t for t in TILES if _tile_defect(spec, t, machine) is None]
    nearest = min(legal, key=lambda t: abs(t.m - tile.m) + abs(t.n - tile.n) + abs(t.k - tile.k), default=None)
    return Refusal(reason, None if nearest is None else nearest.describe())


def _tile_defect(spec: Contract, tile: Tile, machine: Machine) -> str | None:
    if min(tile.m, tile.n, tile.k, tile.thread_m, tile.thread_n) <= 0 or tile.m % tile.thread_m or tile.n % tile.thread_n:
        return f"{tile.thread_m} x {tile.thread_n} a thread do not divide a tile of {tile}"
    if tile.thread_m * tile.thread_n > REGISTERS_FOR_TILE:
        return f"{tile.thread_m} x {tile.thread_n} accumulators a thread are more than {REGISTERS_FOR_TILE}"
    lanes, most = machine.lanes, machine.max_threads
    if tile.threads > most or tile.threads % lanes:
        return f"tile {tile} takes {tile.threads} threads, which is not a multiple of {lanes} up to {most}"
    needed = tile_bytes(spec, tile)
    if needed > machine.shared_bytes:
        return f"tile {tile} in {spec.acc_dtype} takes {needed} bytes of shared memory; a block has {machine.shared_bytes}"
    return None
