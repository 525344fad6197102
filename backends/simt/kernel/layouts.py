"""Tiles of shared memory: where each 16 bytes of a row lie, so that what a warp reads at once falls into different banks.

A row is a power of two of 16-byte chunks. Rows that would meet in the same banks have their chunks in another order:
chunk' = chunk ^ (row / every % period), where `every` neighbouring rows cover all 32 banks of 4 bytes anyway.
"""

from __future__ import annotations

from dataclasses import dataclass

from uol.backends.simt.c_text.address import flipped, quotient, remainder, scaled, total
from uol.ir.program.nodes import Expr

CHUNK_BYTES = 16
"""The largest access of a lane, and a row of what `ldmatrix` reads (PTX ISA, ldmatrix)."""
BANKS_BYTES = 128
"""What all banks together have: 32 of 4 bytes (CUDA C++ Programming Guide, shared memory; CDNA2 ISA, LDS)."""


@dataclass(frozen=True, slots=True)
class SharedTile:
    """`rows` of `row_bytes` each. With an `interleave` rows that are so many apart lie side by side, each group of them with
    its chunks in an order of its own: for threads that write as many neighbouring rows. `together`: chunks that stay beside
    each other, which lanes read at once."""

    rows: int
    row_bytes: int
    interleave: int = 1
    together: int = 1

    @property
    def bytes(self) -> int:
        return self.rows * self.row_bytes

    @property
    def chunks(self) -> int:
        """Of a row."""
        return self.row_bytes // CHUNK_BYTES

    @property
    def every(self) -> int:
        return max(1, BANKS_BYTES // self.row_bytes)

    @property
    def period(self) -> int:
        return min(self.chunks, BANKS_BYTES // CHUNK_BYTES) // self.together

    @property
    def repeats(self) -> int:
        """Rows after which the order of chunks repeats: a step of so many is an addition of bytes, whatever the thread."""
        return self.every * self.period

    @property
    def apart(self) -> int:
        """Chunks by which the orders of interleaved rows differ: with those of the rows beside them they fill all banks."""
        return max(1, self.period // self.interleave)

    def chunk(self, row: Expr | int, chunk: Expr | int) -> Expr:
        """The byte of a chunk."""
        moved = chunk
        if self.interleave > 1:
            moved = flipped(moved, scaled(remainder(row, self.interleave), self.apart))
            row = total(scaled(remainder(row, self.interleave), self.rows // self.interleave), quotient(row, self.interleave))
        moved = flipped(moved, scaled(remainder(quotient(row, self.every), self.period), self.together))
        return total(scaled(row, self.row_bytes), scaled(moved, CHUNK_BYTES))

    def part(self, row: Expr | int, part: Expr, size: int) -> Expr:
        """The byte of a part of a row, of `size` bytes, of which a chunk has one or several."""
        parts = CHUNK_BYTES // size
        if parts == 1:
            return self.chunk(row, part)
        return total(self.chunk(row, quotient(part, parts)), scaled(remainder(part, parts), size))

    def may_go_by(self, rows: int) -> bool:
        """May a thread go from a row below `rows` on by so many at a time? Chunks are in the order of the first row then, or
        in one that differs from that in what all threads know."""
        return rows % self.repeats == 0 or (self.interleave == 1 and not rows & (rows - 1))

    def further(self, byte: Expr, number: Expr, rows: int) -> Expr:
        """The byte `number * rows` rows further than one in a row below `rows`: see `may_go_by`."""
        if rows % self.repeats:
            moved = remainder(quotient(scaled(number, rows), self.every), self.period)
            byte = flipped(byte, scaled(moved, CHUNK_BYTES * self.together))
        return total(byte, scaled(number, rows * self.row_bytes))

    def rows_further(self, rows: Expr | int, number: int = 1) -> Expr:
        """The bytes from a row to the one `rows * number` rows further; `number` is a multiple of `repeats`."""
        assert number % self.repeats == 0, f"{number} rows further chunks have another order"
        return scaled(rows, number * self.row_bytes)
