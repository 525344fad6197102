"""The schedule of a product on matrix units."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MatrixTile:
    """An m x n tile of the result a block, in steps of k through `stages` of shared memory; a warp owns m / warps_m x
    n / warps_n of it, in fragments of a matrix unit. `unroll`: turns of the loop over k that are written one after another."""

    m: int
    n: int
    k: int
    warps_m: int
    warps_n: int
    stages: int
    unroll: int = 1

    @property
    def warp_m(self) -> int:
        return self.m // self.warps_m

    @property
    def warp_n(self) -> int:
        return self.n // self.warps_n

    @property
    def warps(self) -> int:
        return self.warps_m * self.warps_n

    def describe(self) -> str:
        warps = f"{self.warps} warps of {self.warp_m} x {self.warp_n}"
        turns = f", {self.unroll} turns at once" if self.unroll > 1 else ""
        return f"tile {self.m} x {self.n} x {self.k}, {warps}, {self.stages} stages{turns}"
