"""What tiles move and compute, in closed form: of what `issued_by` reads out of a kernel's text the parts by which the tiles of
a kernel differ most. To read a text takes ten times as long as to compile it.

A step along a product's k brings `outer` elements a factor into shared memory, once a block; each thread reads what its own
part of the product needs of them, and multiplies and adds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil

from uol.backends.simt.c_text.counters import parts_of, typical
from uol.backends.simt.machine.limits import TOGETHER
from uol.backends.simt.products.blocks import grid_of
from uol.backends.simt.products.schedule import Tile
from uol.backends.simt.products.segments import has_segments, typical_segments, typical_sizes
from uol.codegen.backend import Device
from uol.codegen.indexing.arithmetic import size, value_at
from uol.codegen.specs.nodes import Contract
from uol.codegen.specs.traverse import products_in, reads
from uol.codegen.work import Issued, exactly, unit_of
from uol.ir.types import DTYPES

READ_INTEGER, STAGED_INTEGER = 2, 8
"""Integer operations that address what a thread reads of shared memory, and, for each axis of the result on its side, what
comes into it: about as the texts of products, convolutions and their gradients have them."""
OTHER_REGISTERS, REGISTER_BYTES = 32, 4
"""Registers that a thread has for addresses and for loads on their way, about as many as the texts of products declare; and
the bytes of a register."""


@dataclass(frozen=True, slots=True)
class Product:
    """One of a block: `steps` along k, for each of which `staged` elements come into shared memory, whose addresses are made of
    `split` numbers all in all, and a thread reads `read` of what lies there, for `multiply_adds` of a thread."""

    steps: int
    staged: int
    split: int
    read: int
    multiply_adds: int
    dtype: str


def contract_counts(spec: Contract, tile: Tile, device: Device) -> Issued:
    """The counts of a contraction, whose k is as long for every block: the share of a segment, where terms are in segments.
    Where rows are, a block goes through k once for each segment that it has rows of; all tiles together have as many as there
    are segments, and one more for each tile that ends within one."""
    m, n = tile.thread_m, tile.thread_n
    split = tile.m * len(spec.m) + tile.n * len(spec.n)
    sizes = typical_sizes(spec)
    steps = typical(size(spec.k), spec.where, sizes)
    if has_segments(spec, "terms"):
        steps = ceil(steps / typical_segments(spec))
    elif has_segments(spec, "rows"):
        tiles = max(1, typical(parts_of(size(spec.m), tile.m), spec.where, sizes))
        steps = ceil(steps * min((tiles + typical_segments(spec) - 1) / tiles, tile.m))
    product = Product(steps, tile.m + tile.n, split, m + n, m * n, spec.acc_dtype)
    found = issued_of([product], typical(grid_of(spec, tile).blocks, spec.where, sizes), tile.threads, device)
    return replace(found, resident=_resident(tile, spec.acc_dtype, device), waits=ceil(steps / tile.k) * _waits(tile) + 1)


def _waits(tile: Tile) -> int:
    """How often a thread waits in a step of the tile's k: for what it brings of each factor, so many elements at once."""
    return sum(ceil(outer * tile.k / (tile.threads * TOGETHER)) for outer in (tile.m, tile.n))


def _resident(tile: Tile, dtype: str, device: Device) -> int:
    """Blocks that a core has at once, by the accumulators and what is multiplied of a thread, and by shared memory."""
    registers = (tile.thread_m * tile.thread_n + tile.thread_m + tile.thread_n) * DTYPES[dtype].bytes // REGISTER_BYTES
    taken = {
        "core-threads": tile.threads,
        "core-registers": tile.threads * (registers + OTHER_REGISTERS),
        "core-scratch": (tile.m + tile.n) * tile.k * DTYPES[dtype].bytes,
    }
    most = (int(device.rates[name].si) // of_block for name, of_block in taken.items() if name in device.rates)
    return max(1, min(most, default=1))


def rounds(spec: Contract, tile: Tile, tensor: str, at_once: int, grid: int, dims: Mapping[str, int]) -> int:
    """How often a product reads a factor from memory, of `grid` blocks `at_once` at a time. They are numbered with the tiles of
    n fastest: the factor a is read once for so many of these as run at a time, and b once for each round of its batch."""
    tiles = grid_of(spec, tile)
    n, batches = (value_at(count, dims) for count in (tiles.n, tiles.batch))
    if tensor in {read.tensor for a, _ in products_in(spec) for read in reads(a)}:
        return ceil(n / at_once)
    return ceil(ceil(grid / at_once) / batches)


def issued_of(products: Sequence[Product], blocks: int, threads: int, device: Device) -> Issued:
    """The counts of a launch of so many blocks, each with these products."""
    scratch = integer = 0
    operations = dict.fromkeys((unit_of(p.dtype) for p in products), 0)
    for p in products:
        scratch += DTYPES[p.dtype].bytes * p.steps * (p.staged + threads * p.read)
        integer += p.steps * (STAGED_INTEGER * p.split + READ_INTEGER * threads * p.read)
        operations[unit_of(p.dtype)] += 2 * p.steps * threads * p.multiply_adds
    operations["integer"] = operations.get("integer", 0) + integer
    return Issued(
        0,
        exactly(0),
        exactly(0),
        exactly(blocks * scratch),
        operations={unit: exactly(blocks * number) for unit, number in operations.items()},
        blocks=blocks,
        waves=-(-blocks // device.cores),
    )
