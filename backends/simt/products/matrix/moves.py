"""How tiles come to shared memory through registers: which threads load and turn what."""

from __future__ import annotations

from dataclasses import dataclass

from uol.backends.simt.c_text.address import quotient, remainder, scaled, total
from uol.backends.simt.c_text.terms import Local
from uol.backends.simt.kernel.layouts import BANKS_BYTES, CHUNK_BYTES, SharedTile
from uol.backends.simt.products.matrix.operand import Operand
from uol.backends.simt.products.matrix.place import thread_of
from uol.ir.program.nodes import Expr

BLOCK = 4
"""Rows of k, and neighbours along m or n, that a thread turns."""
WORD_BYTES = 4
MOST_BYTES = 1 << 31
"""That an offset in bytes reaches, a number of 32 bits."""
SIDE_BY_SIDE = BANKS_BYTES // CHUNK_BYTES
"""Threads that turn neighbours of as many rows of shared memory as have chunks in different banks."""


@dataclass(frozen=True, slots=True)
class Moves:
    """How `threads` bring a tile of an operand of `outer` x `k` elements to shared memory."""

    operand: Operand
    outer: int
    k: int
    threads: int
    bytes: int
    """Of an access along k; of rows that are turned a thread has four neighbours."""
    size: int
    """Bytes of an element in shared memory."""

    @property
    def is_widened(self) -> bool:
        """Are elements made wider on the way?"""
        return self.size > self.operand.bytes

    @property
    def tile(self) -> SharedTile:
        return SharedTile(self.outer, self.k * self.size, interleave=1 if self.operand.along_k else BLOCK)

    @property
    def across(self) -> int:
        """Threads side by side along a row of memory: of an access each, or of four neighbours."""
        return self.k // self.each if self.operand.along_k else self.outer // BLOCK

    @property
    def each(self) -> int:
        """Neighbours of a thread in a row."""
        most = CHUNK_BYTES // self.size
        return min(self.bytes // self.operand.bytes, most) if self.operand.along_k else BLOCK

    @property
    def words(self) -> int:
        """Registers of a thread's neighbours, as they lie in memory."""
        return self.each * self.operand.bytes // WORD_BYTES

    @property
    def stored(self) -> int:
        """Bytes of shared memory of a thread's neighbours along k."""
        return self.each * self.size

    @property
    def rows_a_turn(self) -> int:
        """Rows of memory that all threads have together."""
        return self.threads // self.across * (1 if self.operand.along_k else BLOCK)

    @property
    def turns(self) -> int:
        return (self.outer if self.operand.along_k else self.k) // self.rows_a_turn

    @property
    def thread(self) -> Local:
        return thread_of(self.threads)

    @property
    def row(self) -> Expr:
        """The first of a thread."""
        if self.operand.along_k:
            return quotient(self.thread, self.across)
        if not self.is_in_pairs:
            return scaled(quotient(self.thread, self.across), BLOCK)
        pair = scaled(quotient(self.thread, 2 * self.across), 2)
        return scaled(total(pair, remainder(quotient(self.thread, SIDE_BY_SIDE), 2)), BLOCK)

    @property
    def col(self) -> Expr:
        return scaled(self.number, self.each)

    @property
    def number(self) -> Expr:
        """Of a thread's neighbours among those of a row."""
        if self.operand.along_k or not self.is_in_pairs:
            return remainder(self.thread, self.across)
        eights = remainder(quotient(self.thread, 2 * SIDE_BY_SIDE), self.across // SIDE_BY_SIDE)
        return total(scaled(eights, SIDE_BY_SIDE), remainder(self.thread, SIDE_BY_SIDE))

    @property
    def is_in_pairs(self) -> bool:
        """Have the next 8 threads the next four rows, so that 16 that write at once fill both halves of 8 chunks, and with them
        all banks?"""
        return self.across > SIDE_BY_SIDE and self.threads % (2 * self.across) == 0

    def defect(self) -> str | None:
        """Why that is not possible."""
        tile, rows = self.tile, self.outer if self.operand.along_k else self.k
        if tile.row_bytes % CHUNK_BYTES or tile.chunks & (tile.chunks - 1):
            return f"rows of {tile.row_bytes} bytes are no power of two of {CHUNK_BYTES} bytes"
        if self.threads % self.across or rows % self.rows_a_turn:
            return f"{self.threads} threads do not move {self.outer} x {self.k} elements in whole turns"
        if self.operand.along_k and not tile.may_go_by(self.rows_a_turn):
            return f"{self.rows_a_turn} rows of {tile.row_bytes} bytes a turn have their chunks in several orders"
        if not self.operand.along_k and self.bytes < BLOCK * self.operand.bytes:
            return f"rows of {self.operand.read.tensor} do not begin at multiples of {BLOCK} elements"
        if self.operand.is_in_pieces and bytes_in_all(self.operand) is None:
            return f"{self.operand.read.tensor} is in pieces, and no range that offsets of 32 bits reach"
        of_a_chunk = CHUNK_BYTES // self.size
        if not self.operand.along_k and (self.operand.bytes == 1 or self.turns > 1 and self.rows_a_turn % of_a_chunk):
            return f"{self.operand.read.dtype} is not turned in registers, {self.rows_a_turn} rows of k a turn"
        return None


def bytes_in_all(operand: Operand) -> int | None:
    """Of what is read of an operand in pieces from its first element on; None where offsets of 32 bits do not reach that."""
    found = operand.elements_in_all
    return found * operand.bytes if found is not None and found * operand.bytes < MOST_BYTES else None
