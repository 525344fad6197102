"""How elements lie on threads."""

from __future__ import annotations

from dataclasses import dataclass


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


RUN = 1 << 14
"""Elements that a block has at most of one launch over many tensors: 64 turns of 256 threads, with offsets of 32 bits."""
