"""What tiles on matrix units move and compute, in closed form: what tells them from each other and from tiles of threads."""

from __future__ import annotations

from uol.backends.simt.c_text.counters import parts_of, typical
from uol.backends.simt.products.matrix.place import grid_of, is_over
from uol.backends.simt.products.matrix.schedule import MatrixTile
from uol.backends.simt.products.segments import typical_segments, typical_sizes
from uol.codegen.backend import Device
from uol.codegen.indexing.arithmetic import size
from uol.codegen.specs.nodes import Contract
from uol.codegen.specs.traverse import reads
from uol.codegen.work import Issued, exactly
from uol.ir.types import DTYPES

WARP_INTEGER = 40
"""Integer instructions of a warp for a tile of k: addresses of copies, of fragments, and the ring of stages."""


def matrix_counts(spec: Contract, tile: MatrixTile, device: Device) -> Issued:
    """Of a contraction, whose k is as long for every block."""
    (read,) = reads(spec.a)
    sizes = typical_sizes(spec)
    blocks = typical(grid_of(spec, tile).blocks, spec.where, sizes)
    if is_over(spec, "rows"):  # of the places that segments have beyond their rows, about half are empty
        blocks -= typical_segments(spec) * typical(parts_of(size(spec.n), tile.n)) // 2
    terms = typical(size(spec.k), spec.where, sizes)
    if is_over(spec, "terms"):  # each segment has its share of them
        terms = -(-terms // typical_segments(spec))
    tiles = -(-terms // tile.k)
    a_tile = DTYPES[read.dtype].bytes * tile.k
    moved = a_tile * (tile.m + tile.n)
    scratch = moved + a_tile * tile.warps * (tile.warp_m + tile.warp_n)
    products = {f"{read.dtype}-matrix": 2 * tile.m * tile.n * tile.k, "integer": WARP_INTEGER * tile.warps * 32}
    return Issued(
        0,
        exactly(blocks * tiles * moved),
        exactly(0),
        exactly(blocks * tiles * scratch),
        operations={unit: exactly(blocks * tiles * number) for unit, number in products.items()},
        blocks=blocks,
        waves=-(-blocks // device.cores),
    )
