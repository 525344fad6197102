"""How an attention lies on threads."""

from __future__ import annotations

from dataclasses import dataclass

LANES_A_ROW = 16
"""Threads that share the rows of an attention: lanes of one warp on every machine, so that they fold by shuffles."""


@dataclass(frozen=True, slots=True)
class RowTile:
    """Rows of an attention a block; the cols pass by, `cols` at a time, through shared memory in steps of k. `LANES_A_ROW`
    threads share thread_rows rows, and what is summed for these stays in their registers."""

    rows: int
    cols: int
    k: int
    thread_rows: int

    @property
    def threads_rows(self) -> int:
        """Threads along the rows: the rows of one thread are as far apart."""
        return self.rows // self.thread_rows

    @property
    def threads(self) -> int:
        return self.threads_rows * LANES_A_ROW

    @property
    def thread_cols(self) -> int:
        return self.cols // LANES_A_ROW

    def describe(self) -> str:
        a_thread = f"{self.thread_rows} x {self.thread_cols} a thread"
        return f"{self.rows} rows a block, cols in tiles of {self.cols}, {a_thread}, {self.threads} threads a block"
