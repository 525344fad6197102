"""Tiles that a product on matrix units may take."""

from __future__ import annotations

from dataclasses import replace

from uol.backends.simt.machine.fragments import MatrixUnit
from uol.backends.simt.machine.target import Machine
from uol.backends.simt.products.matrix.schedule import MatrixTile

ASYNCHRONOUS = (
    MatrixTile(256, 128, 32, 4, 2, 4),
    MatrixTile(128, 256, 32, 2, 4, 4),
    MatrixTile(128, 128, 32, 2, 2, 4),
    MatrixTile(128, 64, 32, 2, 2, 4),
    MatrixTile(64, 128, 32, 2, 2, 4),
    MatrixTile(64, 64, 32, 2, 2, 4),
    MatrixTile(64, 64, 64, 2, 2, 4),
    MatrixTile(32, 128, 64, 1, 4, 4),
    MatrixTile(128, 32, 64, 4, 1, 4),
    MatrixTile(32, 64, 64, 1, 4, 4),
    MatrixTile(64, 32, 64, 4, 1, 4),
)
THROUGH_REGISTERS = (
    MatrixTile(256, 128, 32, 4, 2, 2),
    MatrixTile(128, 256, 32, 2, 4, 2),
    MatrixTile(128, 128, 32, 2, 2, 2),
    MatrixTile(128, 64, 32, 2, 1, 2),
    MatrixTile(64, 128, 32, 1, 2, 2),
    MatrixTile(64, 64, 32, 1, 1, 2),
    MatrixTile(64, 64, 64, 2, 2, 2),
    MatrixTile(32, 64, 64, 1, 2, 2),
    MatrixTile(64, 32, 64, 2, 1, 2),
)
IN_PARTS = (
    MatrixTile(128, 64, 32, 4, 2, 4),
    MatrixTile(64, 128, 32, 2, 4, 4),
    MatrixTile(64, 64, 32, 2, 2, 4),
    MatrixTile(32, 64, 32, 1, 4, 4),
    MatrixTile(64, 32, 32, 4, 1, 4),
    MatrixTile(32, 32, 32, 2, 2, 4),
    MatrixTile(32, 32, 64, 2, 2, 4),
)
"""Tiles for factors in f32: their fragments have registers of their own, twice as many where they are in parts."""
SMALL = (MatrixTile(32, 32, 64, 1, 1, 2),)
"""Tiles for f32 through registers: its products take four times as long as those of 16 bits, so that idle cores cost more."""
UNROLLED_WARPS = 4
"""Warps that a block has at the most whose turns may be unrolled. A tile of eight warps has 0.83 instructions beside each
product as it is, and what it would gain no unit waits for; its compiler would take a third longer."""


def matrix_tiles(machine: Machine, unit: MatrixUnit | None = None) -> tuple[MatrixTile, ...]:
    """Of a machine with asynchronous copies, turn by turn and unrolled by their stages, or of one whose tiles come through
    registers; none where there are no units."""
    if machine.units is None:
        return ()
    if unit is not None and unit.dtype == "tf32":
        return IN_PARTS
    if unit is not None and unit.dtype == "f32":
        return (*THROUGH_REGISTERS, *SMALL)
    unrolled = (replace(tile, unroll=tile.stages) for tile in ASYNCHRONOUS if tile.warps <= UNROLLED_WARPS)
    return (*ASYNCHRONOUS, *unrolled) if machine.units.async_bytes else THROUGH_REGISTERS
