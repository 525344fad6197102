"""The schedule of an attention on matrix units."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MatrixRows:
    """Rows of an attention a block, of which each warp has as many; the cols pass by, `cols` at a time, through `stages` of
    shared memory. Scores, weights and sums of a warp's rows stay in its registers."""

    rows: int
    cols: int
    warps: int
    stages: int = 2

    @property
    def warp_rows(self) -> int:
        return self.rows // self.warps

    def describe(self) -> str:
        warps = f"{self.warps} warps of {self.warp_rows} rows"
        return f"{self.rows} rows a block, cols in tiles of {self.cols}, {warps}, {self.stages} stages"
