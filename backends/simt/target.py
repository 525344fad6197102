"""What CUDA and HIP do not share: names of files and of the host's runtime, and the machine's limits."""

from __future__ import annotations

from dataclasses import dataclass

from uol.codegen.backend import Capability
from uol.codegen.partition.grouped_value import Mode

SEGMENTS: frozenset[Mode] = frozenset({"rows", "terms"})
"""What `segments` writes for threads."""


@dataclass(frozen=True, slots=True)
class HostRuntime:
    """Words of the host launcher. `build` is the vendor's build line, with places for `op` and `architecture`."""

    include: str
    stream: str
    last_error: str
    success: str
    build: str


@dataclass(frozen=True, slots=True)
class Target:
    """`max_blocks(threads)` is bounded by `capability.max_grid[0]` and, where there is a limit, by `max_work_items`
    threads in all. `shared_bytes` is what a block may declare statically. `products` are the suffixes of the binaries that
    a bundle carries."""

    name: str
    suffix: str
    capability: Capability
    shared_bytes: int
    host: HostRuntime
    max_work_items: int | None = None
    products: tuple[str, ...] = ()

    def max_blocks(self, threads: int) -> int:
        most = self.capability.max_grid[0]
        return most if self.max_work_items is None else min(most, self.max_work_items // threads)
