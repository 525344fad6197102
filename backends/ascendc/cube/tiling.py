"""Sizes of the cube's tiles.

A tile of C lives in L0C, two tiles of each operand in L0 and in L1: 4*m*n <= 128 KiB, 2*size*m*k and 2*size*k*n <= 64 KiB.
The estimate orders candidates: waves * k * max(Mmad, GM to L1) in cycles, with 16*16*16 products a cycle for f16 (a quarter of
that for f32) and 73 bytes a cycle from global memory to L1 (PTO-ISA, arch_config.hpp: 135 GiB/s at 1.85 GHz).
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

from uol.backends.ascendc.cube.operands import CubeProduct
from uol.backends.ascendc.machine import BYTES, CAPACITY_BYTES, FRACTAL, ceil_div, round_up
from uol.backends.ascendc.schedules import CubeSchedule
from uol.backends.ascendc.transfers.indices import extent

SIDES = (128, 64, 32, 16)
GM_BYTES_PER_CYCLE = 73
ROW_BYTES = 512
"""Rows of a copy from global memory should be multiples of this (hardware constraints of the NPU architecture 2201)."""
MACS_PER_CYCLE = {2: 4096, 4: 1024}


def cube_candidates(product: CubeProduct, cores: int) -> Iterator[CubeSchedule]:
    """Tiles, fastest by the estimate first."""
    m, n, k = product.tiled_sizes()
    size = BYTES[product.dtype]
    outer = prod(extent(a) for axes in (product.batch, product.m[:-1], product.n[:-1]) for a in axes)
    found: dict[CubeSchedule, float] = {}
    for tile_m in SIDES:
        for tile_n in SIDES:
            rows, cols = (max(min(tile, round_up(asked, FRACTAL)), FRACTAL) for tile, asked in ((tile_m, m), (tile_n, n)))
            depth = min(_depth(max(rows, cols), size), round_up(max(k, 1), FRACTAL))
            tasks = outer * ceil_div(m, rows) * ceil_div(n, cols)
            cycles = max(rows * cols / MACS_PER_CYCLE[size], (rows + cols) * size / GM_BYTES_PER_CYCLE)
            found[CubeSchedule(rows, cols, depth, max(1, min(cores, tasks)))] = ceil_div(tasks, cores) * cycles
    yield from sorted(found, key=lambda s: (found[s], -s.m * s.n))


def _depth(side: int, size: int) -> int:
    """The longest k tile of whole fractals with which two tiles of `side` rows fit L0A and L0B, but no longer than what makes
    a good row of a copy."""
    return min(CAPACITY_BYTES["L0A"] // 2 // (side * size) // FRACTAL * FRACTAL, ROW_BYTES // size)
