"""What tiles on matrix units move and compute, in closed form: what tells them from each other and from tiles of threads."""

from __future__ import annotations

from uol.backends.simt.c_text.counters import parts_of, typical
from uol.backends.simt.products.matrix.place import grid_of, is_over
from uol.backends.simt.products.matrix.schedule import MatrixTile
from uol.backends.simt.products.matrix.unrolling import TURN_REST, UNROLLED_REST
from uol.backends.simt.products.segments import skewed_share, typical_segments, typical_sizes
from uol.codegen.backend import Device
from uol.codegen.indexing.arithmetic import size
from uol.codegen.specs.nodes import Contract
from uol.codegen.specs.traverse import main_read, products_in
from uol.codegen.work import Issued, exactly
from uol.ir.types import DTYPES

WARP = 32
"""Threads that an instruction is counted for; on wider warps half as many take twice as long."""
FIRST_TURN = 100
"""Instructions of a turn of the largest tile, beside what a warp waits for when it comes to them first."""

MADE_INTEGER = 2
"""The same of an element that becomes one of tf32, or two."""


def matrix_counts(spec: Contract, tile: MatrixTile, device: Device) -> Issued:
    """Of a contraction, whose k is as long for every block."""
    left, right = main_read(spec.a), main_read(spec.b)
    sizes = typical_sizes(spec)
    blocks = typical(grid_of(spec, tile).blocks, spec.where, sizes)
    if is_over(spec, "rows"):  # of the places that segments have beyond their rows, about half are empty
        blocks -= typical_segments(spec) * typical(parts_of(size(spec.n), tile.n)) // 2
    terms, longest = typical(size(spec.k), spec.where, sizes), 0.0
    if is_over(spec, "terms"):  # each segment has its share of them, and as many blocks as any other
        terms, longest = -(-terms // typical_segments(spec)), skewed_share(spec) * typical_segments(spec) / blocks
    tiles = -(-terms // tile.k) * len(products_in(spec))
    of_m, of_n = (DTYPES[read.dtype].bytes * tile.k for read in (left, right))
    moved = of_m * tile.m + of_n * tile.n
    scratch = moved + tile.warps * (of_m * tile.warp_m + of_n * tile.warp_n)
    rate, number = _products(left.dtype, right.dtype, spec.tf32, device)
    integer = _rest(tile, tiles) * tile.warps * WARP
    if rate == "tf32-matrix":
        integer += tiles * tile.warps * tile.k * (tile.warp_m + tile.warp_n) * MADE_INTEGER
    return Issued(
        0,
        exactly(blocks * tiles * moved),
        exactly(0),
        exactly(blocks * tiles * scratch),
        operations={
            rate: exactly(blocks * tiles * number * 2 * tile.m * tile.n * tile.k),
            "integer": exactly(blocks * integer),
        },
        blocks=blocks,
        waves=-(-blocks // device.cores),
        resident=_resident(tile.stages * moved, device),
        waits=-(-tiles // (tile.stages - 1)) + (tile.stages > 2),  # stages ahead are on their way together; none at first
        longest=longest,
    )


def _rest(tile: MatrixTile, tiles: int) -> int:
    """Instructions of a warp beside products, loads and copies for so many tiles of k. Turns are unrolled as far as there are
    enough of them; code that is longer is not in the cache at first, where each instruction is waited for about as long as one
    takes."""
    if tile.unroll == 1:
        return tiles * TURN_REST
    unrolled = tiles // tile.unroll * tile.unroll
    return unrolled * UNROLLED_REST + (tiles - unrolled) * TURN_REST + tile.unroll * FIRST_TURN


def _resident(shared_bytes: int, device: Device) -> int:
    """Blocks that a core has at once, by the shared memory that each takes."""
    of_core = device.rates.get("core-scratch")
    return 1 if of_core is None else max(1, int(of_core.si) // shared_bytes)


def _products(left: str, right: str, tf32: bool, device: Device) -> tuple[str, int]:
    """What multiplies factors of two types, and how often: where no unit multiplies f32, a factor in f32 is the sum of two
    parts in tf32, of whose products all but that of both second ones are there; or it is rounded."""
    wide = (left, right).count("f32")
    if not wide:
        return f"{left}-matrix", 1
    if "f32-matrix" in device.rates:
        return "f32-matrix", 1
    return "tf32-matrix", 1 if tf32 and wide == 2 else 1 + wide
