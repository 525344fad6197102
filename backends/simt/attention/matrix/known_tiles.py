"""What holds of the tiles of cols of every block, as far as sizes are known when a kernel is built. A kernel asks for nothing
that always holds.

    0 .. full .. tiles        tiles that all rows of a block see whole; behind them those that are masked
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from uol.backends.simt.attention.matrix.seen import Bound
from uol.codegen.indexing.arithmetic import ONE, ZERO, static
from uol.ir.program.nodes import Expr

MOST_BLOCKS = 1024
"""Tiles of rows that are looked at one by one; of more nothing is said."""


@dataclass(frozen=True, slots=True)
class KnownTiles:
    """`least`: how many tiles each block has at least; `is_whole`: has the first tile all of its cols? `one_masked`: is it the
    last tile of each block that is masked, and no other?"""

    least: int = 0
    is_whole: bool = False
    one_masked: bool = False

    @staticmethod
    def of(rows: Expr, cols: Expr, bounds: Sequence[Bound], tile_rows: int, tile_cols: int) -> KnownTiles:
        """What holds of blocks of `tile_rows` rows, whose rows see cols up to the least of `bounds`."""
        known_rows, known_cols = static(rows), static(cols)
        if known_cols is None:
            return KnownTiles()
        ends = [_line(bound) for bound in bounds]
        lines = [line for line in ends if line is not None]
        is_whole = known_cols >= tile_cols
        blocks = 0 if known_rows is None else -(-known_rows // tile_rows)
        if not bounds:
            blocks = 1
        if len(lines) < len(ends) or not 0 < blocks <= MOST_BLOCKS:
            return KnownTiles(is_whole=is_whole)
        found = []
        for m0 in range(0, blocks * tile_rows, tile_rows):
            end, full = (
                max(min((known_cols, *(first + row * step for first, step in lines))), 0) for row in (m0 + tile_rows - 1, m0)
            )
            found.append((-(-end // tile_cols), full // tile_cols))
        least = min(tiles for tiles, _ in found)
        return KnownTiles(least, is_whole, all(tiles - full == 1 for tiles, full in found))


def _line(bound: Bound) -> tuple[int, int] | None:
    """The col at which those of row 0 end, and by how many cols each further row sees more; None where sizes are arguments."""
    first, second = (static(bound.of_row(row)) for row in (ZERO, ONE))
    return None if first is None or second is None else (first, second - first)
