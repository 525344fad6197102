"""Schedules beside the one that arithmetic prefers: a kernel computes the same by each of them, and timing may choose another
(`UOL_TUNE=1`). Nothing here needs TVM.

    tiles, panels    one vector more or less, with the rows that the registers then hold (tile registers stay as they are);
                     blocks of another size
    dot products     other numbers of rows and columns at a time
    reductions       vectors of half and of twice the length
    strips           half of the rows
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from uol.backends.cpu.host import Host
from uol.backends.cpu.operands.panels import LEAST_DEPTH, WIDEST_PANEL
from uol.backends.cpu.schedules.kinds import CpuSchedule, Dots, Panels, Reduction, Strips, Tiles
from uol.backends.cpu.schedules.legality import defect

MOST = 3
"""A choice among four is as many as are worth compiling."""


def alternatives(best: CpuSchedule, host: Host) -> tuple[CpuSchedule, ...]:
    """At most `MOST`, none of which is the best itself, nor one that is refused."""
    found = [s for s in dict.fromkeys(_around(best, host)) if s != best and defect(s, (best, s)) is None]
    return tuple(found[:MOST])


def _around(best: CpuSchedule, host: Host) -> Iterable[CpuSchedule]:
    match best:
        case Tiles():
            yield from (replace(best, rows=rows, vectors=vectors) for rows, vectors in _tiles(best, host))
            yield replace(best, block=max(1, best.block // 4))
        case Panels():
            if best.unit != "tiles":
                yield from (_with_tile(best, rows, vectors) for rows, vectors in _tiles(best, host))
            if best.depth > best.word * LEAST_DEPTH // 2:
                yield replace(best, depth=best.depth // 2)
            yield replace(best, row_tiles=max(1, best.row_tiles // 2))
        case Dots():
            yield replace(best, columns=2 * best.columns, rows=max(1, best.rows // 2))
            yield replace(best, columns=max(1, best.columns // 2))
        case Reduction() if best.lanes & (best.lanes - 1) == 0:
            yield replace(best, lanes=max(1, best.lanes // 2))
            yield replace(best, lanes=2 * best.lanes)
        case Strips():
            yield replace(best, rows=max(1, best.rows // 2))


def _tiles(best: Tiles | Panels, host: Host) -> Iterator[tuple[int, int]]:
    """Rows and vectors that the registers hold, beside a vector of b for each and an element of a. Not more rows than fill
    them: a kernel of few rows has tiles of few."""
    for vectors in (best.vectors + 1, best.vectors - 1):
        rows = (host.vector_registers - 1 - vectors) // vectors if vectors else 0
        if rows and vectors * best.lanes <= WIDEST_PANEL:
            yield min(rows, best.rows * best.vectors // vectors + 1), vectors


def _with_tile(best: Panels, rows: int, vectors: int) -> Panels:
    """Tasks of about as many rows and columns as before."""
    tall, wide = best.row_tiles * best.rows, best.column_tiles * best.vectors
    return replace(best, rows=rows, vectors=vectors, row_tiles=-(-tall // rows), column_tiles=max(1, wide // vectors))
