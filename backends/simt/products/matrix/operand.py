"""One operand of a product on matrix units: how it lies in memory, and how threads bring a tile of it to shared memory.

An operand is a matrix of rows of memory, `pitch` elements apart, each of elements side by side: along k (`along_k`), with m or
n from row to row; or along m or n, with k from row to row.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from uol.backends.simt.c_text.address import scaled
from uol.backends.simt.c_text.counters import Counter
from uol.backends.simt.elements.multiples import Multiples, is_multiple_of
from uol.backends.simt.kernel.layouts import CHUNK_BYTES
from uol.codegen.indexing.arithmetic import ONE, ZERO, substituted
from uol.codegen.specs.nodes import Contract, Guard, Read
from uol.codegen.specs.traverse import reads
from uol.ir.program.nodes import Expr
from uol.ir.program.walk import variables
from uol.ir.types import DTYPES


@dataclass(frozen=True, slots=True)
class Operand:
    """`first`: the offset of its first element, which the batch may decide. `outer` counts m or n."""

    read: Read
    factor: Expr
    outer: Counter
    k: Counter
    along_k: bool
    pitch: Expr
    first: Expr

    @property
    def bytes(self) -> int:
        """Of an element."""
        return DTYPES[self.read.dtype].bytes

    @property
    def each(self) -> int:
        """Elements of an access of 16 bytes."""
        return CHUNK_BYTES // self.bytes

    @property
    def inner(self) -> Counter:
        """What counts the elements of a row."""
        return self.k if self.along_k else self.outer

    def begins_on_chunks(self, multiples: Multiples) -> bool:
        """Does every row consist of whole accesses, of a tensor that begins with one?"""
        parts = (self.pitch, self.first, self.inner.count)
        return all(is_multiple_of(part, self.each, multiples) for part in parts)


def operand_of(factor: Expr, outer: Counter, k: Counter, known: frozenset[str] = frozenset()) -> Operand | None:
    """None where it is no such matrix. `known`: what guards may ask of, where the operand is that of a segment, which is one
    that there is then: the segment, and sizes that are arguments."""
    read = next(reads(factor))
    if any(not variables_of(guard) <= known for guard in read.guard):
        return None
    along_outer, along_k = outer.step(read), k.step(read)
    if along_outer is None or along_k is None or ONE not in (along_k, along_outer):
        return None
    axes = {axis.name: ZERO for axis in (*outer.axes, *k.axes)}
    first = substituted(read.offset, axes)
    if along_k == ONE:
        return Operand(read, factor, outer, k, True, along_outer, first)
    return Operand(read, factor, outer, k, False, along_k, first)


def variables_of(guard: Guard) -> frozenset[str]:
    """What a guard asks about."""
    return frozenset().union(*map(variables, guard.children))


def operands_of(spec: Contract) -> tuple[Operand, Operand] | None:
    """Both operands of a contraction; None where one is no matrix."""
    m, n, k = (Counter.over(axes, name) for axes, name in ((spec.m, "$at_m"), (spec.n, "$at_n"), (spec.k, "$at_k")))
    of_rows = spec.segments is not None and spec.segments.over == "rows"
    known = frozenset({spec.segments.of, *spec.dims} if spec.segments is not None and of_rows else ())
    a, b = operand_of(spec.a, m, k), operand_of(spec.b, n, k, known)
    return None if a is None or b is None else (a, b)


@dataclass(frozen=True, slots=True)
class Side:
    """An operand in a kernel: `tile` of its m or n are a block's, from `origin` on, `within_warp` a warp's, of the number
    `warp`; `called`: what its variables are called by, the tensor, so that a reader knows what is in them."""

    operand: Operand
    tile: int
    origin: Expr
    warp: Expr
    within_warp: int
    called: str

    def name(self, what: str) -> str:
        return f"${self.called}_{what}"

    def names(self, what: Iterable[str]) -> tuple[str, ...]:
        """Of its variables."""
        return tuple(map(self.name, what))

    @property
    def first_of_warp(self) -> Expr:
        """Of the tile's m or n."""
        return scaled(self.warp, self.within_warp)
