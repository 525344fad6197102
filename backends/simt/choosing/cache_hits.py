"""What passes the memory of a device more than once: of tensors that its last cache does not hold until they are read again.

What blocks at a time read together is read once. What a block reads again is in the cache, where that holds all that blocks
read at a time. So a tensor is read once for each round of blocks at the most. Where a kind of schedule says how its blocks are
numbered (`rounds`), it says how often.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from math import ceil, inf

from uol.backends.simt.choosing.kinds import kind_of
from uol.backends.simt.machine.limits import SECTOR_BYTES
from uol.codegen.backend import Device, Kernel

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
    if not large:
        return 0
    grid, _, _ = kernel.launch.blocks(dims)
    at_once = min(grid, device.cores * resident)
    kind = kind_of(kernel.spec, kernel.schedule)
    if kind is not None and kind.rounds is not None:
        rounds = partial(kind.rounds, kernel.spec, kernel.schedule, at_once=at_once, grid=grid, dims=dims)
        return sum(int(sizes[tensor] * (rounds(tensor) - 1)) for tensor in large)
    leaving = together()
    is_held = sum(leaving.values()) / grid * at_once <= capacity
    moved = {tensor: min(loaded[tensor], leaving[tensor]) if is_held else loaded[tensor] for tensor in large}
    times = {tensor: min(moved[tensor] / sizes[tensor], ceil(grid / at_once)) for tensor in large}
    return sum(int(sizes[tensor] * (each - 1)) for tensor, each in times.items() if each > AGAIN)
