"""How a kernel over rows is laid out on threads."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ThreadPerRow:
    """One row a thread, or `each` one beside the other: folds run serially, the last row axis feeds the lanes."""

    threads: int = 256
    each: int = 1

    def describe(self) -> str:
        a_thread = "one row" if self.each == 1 else f"{self.each} rows"
        return f"{a_thread} a thread, {self.threads} threads a block, rows along the lanes"


@dataclass(frozen=True, slots=True)
class BlockPerRow:
    """`rows` rows a block of `threads`: `lanes` threads share each fold, the last column axis along them, `each` columns of a
    thread one beside the other. Of several rows each is a warp's, or several are. `staged`: through shared memory, all the
    block's rows at once."""

    threads: int = 256
    rows: int = 1
    each: int = 1
    staged: bool = False

    @property
    def lanes(self) -> int:
        """Threads of a row."""
        return self.threads // self.rows

    def describe(self) -> str:
        rows = "one row" if self.rows == 1 else f"{self.rows} rows"
        side_by_side = "" if self.each == 1 else f", {self.each} side by side"
        staged = ", through shared memory" if self.staged else ""
        return f"{rows} a block of {self.threads} threads, columns along the lanes{side_by_side}{staged}"


@dataclass(frozen=True, slots=True)
class Buckets:
    """A block for each `threads` elements of one row whose keys are of a few numbers: every block counts the keys of the row,
    and gives its own elements their places, which lie behind those of lesser keys and of equal keys before them."""

    threads: int = 1024

    def describe(self) -> str:
        return f"keys are counted, one element a thread, {self.threads} threads a block"


RowSchedule = ThreadPerRow | BlockPerRow
