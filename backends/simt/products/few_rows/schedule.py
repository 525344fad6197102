"""The schedule of a product of few rows, or of few columns: every weight is read once, and met by all of the few."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Few = Literal["rows", "columns"]
"""Which side of a product is the short one."""
Along = Literal["terms", "outer"]
"""What lies side by side in the long operand: terms of a sum, or what has sums of its own."""


@dataclass(frozen=True, slots=True)
class Shape:
    """Sums of `few` rows and `block` columns (or the other way round), of `slots` parts of their terms each."""

    of: Few
    few: int
    block: int
    slots: int

    @property
    def pitch(self) -> int:
        """Elements from one part to the next: what threads write of one sum of several parts lies in several banks."""
        return self.few * self.block + (self.slots > 1)

    @property
    def elements(self) -> int:
        """Of all parts."""
        return (self.slots - 1) * self.pitch + self.few * self.block


@dataclass(frozen=True, slots=True)
class FewRows:
    """`few` rows (or columns) of the short operand meet the long one, of which a thread has `many` columns (or rows), and
    `terms` of each at a time. `shares` threads have the same sums, each some of their terms; a block adds theirs up in order.
    `along` is what `each` elements of one access of the long operand lie along."""

    of: Few
    along: Along
    few: int
    many: int
    terms: int
    each: int
    shares: int
    threads: int

    @property
    def groups(self) -> int:
        """Parts of a block whose sums are their own."""
        return self.threads // self.shares

    @property
    def block(self) -> int:
        """Columns (or rows) of the long operand that a block has."""
        return self.groups * self.many

    @property
    def side_by_side(self) -> int:
        """Elements of the long operand that a thread has side by side: one access, or so many of one element."""
        return self.terms if self.along == "terms" else self.many

    def shape(self, lanes: int) -> Shape:
        """What meets in shared memory: a part of each thread; or of each warp of so many lanes, which fold theirs."""
        slots = self.shares if self.along == "outer" else max(self.shares // lanes, 1)
        return Shape(self.of, self.few, self.block, slots)

    def describe(self) -> str:
        short, long = ("rows", "columns") if self.of == "rows" else ("columns", "rows")
        a_thread = f"{self.few} {short} x {self.many} {long} a thread, {self.terms} terms at once"
        return f"{self.block} {long} a block of {self.threads} threads, {self.shares} a sum; {a_thread}"


@dataclass(frozen=True, slots=True)
class FewRowsByUnits:
    """Few rows (or columns) of the short operand, in `fragments` of a matrix unit, meet the long one. A lane has `each` of its
    elements in an access, along its terms or its columns (or rows). `shares` warps of a block of `warps` have the same sums,
    each some of their terms. Fragments go from memory to registers, without shared memory."""

    of: Few
    along: Along
    fragments: int
    each: int
    shares: int
    warps: int

    @property
    def groups(self) -> int:
        """Warps of a block whose sums are their own."""
        return self.warps // self.shares

    def describe(self) -> str:
        short, long = ("rows", "columns") if self.of == "rows" else ("columns", "rows")
        access = f"accesses of {self.each} {'terms' if self.along == 'terms' else long}"
        return f"{self.fragments} fragments of {short}, {self.warps} warps a block, {self.shares} a sum; {access}"
