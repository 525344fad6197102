"""How a product lies on threads."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Tile:
    """An m x n tile of the result a block, in steps of k through shared memory; a thread owns thread_m x thread_n of it."""

    m: int
    n: int
    k: int
    thread_m: int
    thread_n: int

    @property
    def threads_m(self) -> int:
        """Threads along m: the rows of one thread are as far apart."""
        return self.m // self.thread_m

    @property
    def threads_n(self) -> int:
        """Threads along n, likewise."""
        return self.n // self.thread_n

    @property
    def threads(self) -> int:
        return self.threads_m * self.threads_n

    def describe(self) -> str:
        return f"tile {self}, {self.thread_m} x {self.thread_n} a thread, {self.threads} threads a block"

    def __str__(self) -> str:
        return f"{self.m} x {self.n} x {self.k}"
