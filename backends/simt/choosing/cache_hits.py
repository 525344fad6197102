"""What passes the memory of a device more than once: of tensors that its last cache does not hold until they are read again.

What blocks at a time read together is read once. What a block reads again is in the cache, where that holds all that blocks
read at a time. So a tensor is read once for each round of blocks at the most. Blocks of a product are numbered with the tiles
of n fastest: the factor a is read once for so many of these as run at a time, and b once for each round of its batch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import ceil, inf

from uol.backends.simt.machine.limits import SECTOR_BYTES
from uol.backends.simt.products.contract_plan import grid_of
from uol.backends.simt.products.schedule import Tile
from uol.codegen.backend import Device, Kernel
from uol.codegen.indexing.arithmetic import value_at
from uol.codegen.specs.nodes import Attention, Contract
from uol.codegen.specs.traverse import reads

AGAIN = 1.15
"""A tensor that is moved this many times or more is read again, from a cache or from memory."""
Bytes = Mapping[str, float]
"""The bytes that a kernel moves of each tensor, by the name that its text has for it."""


def again_bytes(
    kernel: Kernel,
    device: Device,
    loaded: Bytes,
    sectors: Mapping[str, int],
    together: Callable[[], Bytes],
    resident: int,
    dims: Mapping[str, int],
) -> int:
    """Bytes beside the first time. `loaded`: what threads ask for, `sectors`: those that a tensor has, `together`: what
    leaves neighbouring blocks, each sector once for all of them, which takes a while to find; `resident`: blocks that a core
    has at once."""
    capacity = device.rates["cache-size"].si if "cache-size" in device.rates else inf
    sizes = {tensor: number * SECTOR_BYTES for tensor, number in sectors.items()}
    large = {tensor for tensor, number in loaded.items() if sizes[tensor] > capacity and number > AGAIN * sizes[tensor]}
    if not large or isinstance(kernel.spec, Attention):  # the blocks of one batch, which read the same, run at a time
        return 0
    grid, _, _ = kernel.launch.blocks(dims)
    at_once = min(grid, device.cores * resident)
    if isinstance(kernel.spec, Contract) and isinstance(kernel.schedule, Tile):
        return sum(int(sizes[t] * (_rounds_of(t, kernel, at_once, dims) - 1)) for t in large)
    leaving = together()
    is_held = sum(leaving.values()) / grid * at_once <= capacity
    moved = {tensor: min(loaded[tensor], leaving[tensor]) if is_held else loaded[tensor] for tensor in large}
    times = {tensor: min(moved[tensor] / sizes[tensor], ceil(grid / at_once)) for tensor in large}
    return sum(int(sizes[tensor] * (each - 1)) for tensor, each in times.items() if each > AGAIN)


def _rounds_of(tensor: str, kernel: Kernel, at_once: int, dims: Mapping[str, int]) -> int:
    """How often a product reads a factor from memory."""
    assert isinstance(kernel.spec, Contract) and isinstance(kernel.schedule, Tile)
    tiles = grid_of(kernel.spec, kernel.schedule)
    n, batches = (value_at(count, dims) for count in (tiles.n, tiles.batch))
    if tensor in {read.tensor for read in reads(kernel.spec.a)}:
        return ceil(n / at_once)
    grid, _, _ = kernel.launch.blocks(dims)
    return ceil(ceil(grid / at_once) / batches)
