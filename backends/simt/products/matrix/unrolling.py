"""Turns of the loop over tiles of k that are written one after another, as many as there are stages: where a stage begins is a
constant then, and neither its address nor the ring of stages takes an instruction.

    turn    what a warp issues for one tile of k: products, loads of fragments, copies, the rest
"""

from __future__ import annotations

from uol.backends.simt.machine.fragments import MatrixUnit
from uol.backends.simt.products.matrix.asynchronous import Copies
from uol.backends.simt.products.matrix.schedule import MatrixTile

TURN_REST, UNROLLED_REST = 36, 18
"""Instructions of a warp for a tile of k beside products, matrix loads and copies: addresses, the ring of stages, waits. Of the
listings of both vendors' compilers, f16, all ways in which operands lie: 28 to 40 turn by turn, 13 to 27 unrolled on sm_80."""
MOST_REGISTERS = 224
"""Of a thread that has up to 255: beyond it compilers begin to move values to and fro."""
OTHER_REGISTERS = 16
"""Counters, places in shared memory, what is left of the launch."""
CODE_BYTES, INSTRUCTION_BYTES = 12 * 1024, 16
"""What the instruction cache beside a core's scheduler holds, and an instruction: Jia et al., Dissecting the NVIDIA Volta GPU
architecture via microbenchmarking, 2018, table 3.1."""


def products_of_turn(tile: MatrixTile, unit: MatrixUnit) -> int:
    """Instructions of a warp on the matrix unit for a tile of k."""
    return tile.warp_m * tile.warp_n * tile.k // (unit.m * unit.n * unit.k)


def instructions_of_turn(copies: tuple[Copies, ...], tile: MatrixTile, unit: MatrixUnit) -> int:
    """All that a warp issues for a tile of k in an unrolled loop. A matrix load brings a fragment of a, or two of b."""
    loads = (tile.warp_m // unit.m + tile.warp_n // (2 * unit.n)) * (tile.k // unit.k)
    return products_of_turn(tile, unit) + loads + sum(each.turns for each in copies) + UNROLLED_REST


def registers_of(copies: tuple[Copies, ...], tile: MatrixTile, unit: MatrixUnit) -> int:
    """Of a thread, about: its sums; fragments that are multiplied, and as many that come; a pointer for each copy."""
    sums = tile.warp_m * tile.warp_n // unit.lanes
    fragments = tile.warp_m // unit.m * unit.a.registers + tile.warp_n // unit.n * unit.b.registers
    return sums + 2 * fragments + 2 * sum(each.turns for each in copies) + OTHER_REGISTERS


def unroll_defect(copies: tuple[Copies, ...], tile: MatrixTile, unit: MatrixUnit) -> str | None:
    """Why the loop over tiles of k is not unrolled as often as a schedule says."""
    if tile.unroll == 1:
        return None
    if tile.unroll != tile.stages:
        return f"{tile.unroll} turns at once are neither 1 nor the {tile.stages} stages"
    if (needed := registers_of(copies, tile, unit)) > MOST_REGISTERS:
        return f"{tile.unroll} turns at once take about {needed} registers of a thread, more than {MOST_REGISTERS}"
    code = tile.unroll * instructions_of_turn(copies, tile, unit) * INSTRUCTION_BYTES
    if code > CODE_BYTES:
        return f"{tile.unroll} turns at once are about {code} bytes of code, more than {CODE_BYTES}"
    return None
