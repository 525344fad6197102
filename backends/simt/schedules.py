"""How a kernel is laid out on threads: the schedules of SIMT targets, and their order of preference."""

from __future__ import annotations

from dataclasses import dataclass

from uol.backends.simt.rows.schedule import RowSchedule

SECTOR_BYTES = 32
"""What an access of global memory moves at least: CUDA C++ Best Practices Guide, "Coalesced Access to Global Memory". Accesses
of other machines are counted in the same unit."""
WHOLE_BYTES = 16
"""The largest access of a thread (CUDA C++ Programming Guide, "Device Memory Accesses"; CDNA2 ISA, global_load_dwordx4)."""
THREADS = 256
"""A block that fills every SIMT machine: several fit a core at any register use below 64 a thread."""


@dataclass(frozen=True, slots=True)
class Elements:
    """`each` elements a thread, one beside the other, in blocks of `threads`, along the physical order of the result."""

    threads: int = 256
    each: int = 1

    def describe(self) -> str:
        a_thread = "one element" if self.each == 1 else f"{self.each} elements"
        return f"{a_thread} a thread, {self.threads} threads a block, the result's unit-stride axis along the lanes"


@dataclass(frozen=True, slots=True)
class TransposedTile:
    """A tile of `side` x `side` elements a block of `threads`, through shared memory: loaded along one axis and stored along
    another, `each` elements of a thread one beside the other. Rows of a tile are an element apart, so that a column's lie in
    banks of their own."""

    side: int = 32
    each: int = 1
    threads: int = 256

    @property
    def pitch(self) -> int:
        """Elements from one row of a tile to the next."""
        return self.side + 1

    @property
    def elements(self) -> int:
        """Of a tile in shared memory, to the end of its last row."""
        return self.side * self.pitch - 1

    @property
    def rows_a_turn(self) -> int:
        """Rows of a tile that all threads have together."""
        return self.threads * self.each // self.side

    def describe(self) -> str:
        side_by_side = "" if self.each == 1 else f", {self.each} side by side"
        return f"a tile of {self.side} x {self.side} a block of {self.threads} threads{side_by_side}, through shared memory"


@dataclass(frozen=True, slots=True)
class Bins:
    """`turns` points a thread, those of a turn side by side; a block adds up in shared memory, and at its end to the tensor."""

    threads: int = 256
    turns: int = 1

    def describe(self) -> str:
        return f"{self.turns} points a thread, {self.threads} threads a block, which adds up in shared memory"


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


RUN = 1 << 14
"""Elements that a block has at most of one launch over many tensors: 64 turns of 256 threads, with offsets of 32 bits."""

SimtSchedule = Elements | TransposedTile | Bins | RowSchedule | Tile | RowTile
