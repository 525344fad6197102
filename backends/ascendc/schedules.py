"""How a kernel is laid out on the 910B: frozen data, opaque above this folder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from uol.backends.ascendc.machine import FRACTAL
from uol.codegen.indexing.arithmetic import static
from uol.codegen.specs.nodes import KernelSpec


@dataclass(frozen=True, slots=True)
class VectorSchedule:
    """A vector kernel: `lanes` lanes of axis `lane` a tile, and `rows` rows of them along `row` (empty: one row). Where results
    are lanes and `row` is one of the cols, the rows of a tile accumulate side by side, and are folded in the end.

    over     "rows": the lanes are results, cols are a loop; "cols": the lanes are what a Reduce folds
    slots    2 for double buffering
    blocks   vector cores that share the tiles
    """

    lane: str
    lanes: int
    row: str = ""
    rows: int = 1
    over: Literal["rows", "cols"] = "rows"
    slots: int = 1
    blocks: int = 1

    def describe(self) -> str:
        tile = f"{self.rows} x {self.lanes} ({self.row}, {self.lane})" if self.row else f"{self.lanes} of {self.lane}"
        what = "lanes are folded" if self.over == "cols" else "lanes are results"
        return f"vector cores {self.blocks}, tile {tile}, {what}, {'double-buffered' if self.slots == 2 else 'single buffer'}"


@dataclass(frozen=True, slots=True)
class CubeSchedule:
    """A matrix kernel: tiles of m x n x k in L0, two of each operand in flight."""

    m: int
    n: int
    k: int
    blocks: int = 1

    def describe(self) -> str:
        return f"cube cores {self.blocks}, tile {self.m} x {self.n} x {self.k}, L1 and L0 double-buffered"


AscendSchedule = VectorSchedule | CubeSchedule


def defect(schedule: AscendSchedule, spec: KernelSpec) -> str | None:
    """Why no kernel has a schedule with such numbers; None where this one may. A kernel over nothing has tiles of nothing."""
    least = 0 if any(static(a.extent) == 0 for a in spec.axes) else 1
    match schedule:
        case VectorSchedule(lanes=lanes, rows=rows, blocks=blocks) if min(lanes, rows) < least or blocks < 1:
            return f"a tile of {rows} x {lanes} on {blocks} cores is empty"
        case VectorSchedule(slots=slots) if slots not in (1, 2):
            return f"{slots} buffers a tensor: there is one, or two that alternate"
        case CubeSchedule(blocks=blocks) if blocks < 1:
            return "a kernel on no core"
        case CubeSchedule(m=m, n=n, k=k) if min(m, n, k) < 1 or m % FRACTAL or n % FRACTAL or k % FRACTAL:
            return f"a tile of {m} x {n} x {k} is not made of fractals of {FRACTAL} x {FRACTAL}"
    return None
