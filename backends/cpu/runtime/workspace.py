"""Memory for the buffers between kernels, kept between calls where caches may hold it.

The block that was used last is handed out first: it is still in the cache, and operators that run one after another
share it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from uol.backends.abi.interface import ALIGNMENT_BYTES

KEPT_BYTES = 1 << 22
"""A larger block goes back to the C library when its call is over: no second-level cache holds it, and the results of the next
operators may lie there. Kept, it was 8 MiB more at the peak of an encoder layer, 33 of ResNet-50's."""


@dataclass(frozen=True, slots=True)
class Workspace:
    memory: NDArray[np.uint8]
    address: int
    bytes: int


@dataclass(slots=True)
class WorkspacePool:
    """Blocks that no call is using. Taking and giving back are atomic (list operations)."""

    free: list[Workspace] = field(default_factory=list)

    def take(self, bytes_needed: int) -> Workspace:
        """A block of at least so many bytes; one that is too small is replaced by a larger one."""
        try:
            block = self.free.pop()
        except IndexError:
            return _allocate(bytes_needed)
        return block if block.bytes >= bytes_needed else _allocate(bytes_needed)

    def give(self, block: Workspace) -> None:
        if block.bytes <= KEPT_BYTES:
            self.free.append(block)


def _allocate(size_bytes: int) -> Workspace:
    memory = np.empty(size_bytes + ALIGNMENT_BYTES, np.uint8)
    start = memory.ctypes.data
    return Workspace(memory, -(-start // ALIGNMENT_BYTES) * ALIGNMENT_BYTES, size_bytes)


WORKSPACES = WorkspacePool()
"""The blocks of this process."""
