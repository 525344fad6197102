"""Which part of a result a block computes. Blocks are numbered with the tiles of n fastest, then m, then the batches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from uol.backends.simt.c_text.counters import Counter, parts_of
from uol.backends.simt.c_text.printer import Printer
from uol.backends.simt.c_text.terms import Known, Scalar, block_index
from uol.backends.simt.kernel.nodes import Declare
from uol.backends.simt.kernel.scope import Scope, where_natural
from uol.codegen.indexing.arithmetic import ONE, ZERO, folded, mul, size
from uol.codegen.specs.nodes import Contract
from uol.ir.program.nodes import Call, Const, Expr
from uol.ir.types import INDEX


class Sides(Protocol):
    """A tile of the result."""

    @property
    def m(self) -> int: ...

    @property
    def n(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Grid:
    """How many tiles cover the result."""

    m: Expr
    n: Expr
    batch: Expr

    @property
    def blocks(self) -> Expr:
        return mul(mul(self.m, self.n), self.batch)


def grid_of(spec: Contract, tile: Sides) -> Grid:
    """Tiles along m, along n, and the number of batches."""
    return Grid(parts_of(size(spec.m), tile.m), parts_of(size(spec.n), tile.n), size(spec.batch))


def declare_batch(batch: Counter, blocks: Expr, needed: frozenset[str], scope: Scope) -> None:
    """The batch of a block, of which each has so many, and those of its axes that are needed."""
    if not batch.axes:
        return
    scope.printer = batch.known(scope.printer)
    printer = with_block(scope.printer)
    value = folded(Call("/", (block_index(printer), ONE if blocks == ZERO else blocks), INDEX))
    scope.put(Declare(printer.names.variable(batch.name), Scalar(INDEX), Known(value, printer)))
    scope.axes(batch, needed)


def block_part(printer: Printer, inner: Expr, wrap: Expr | None, tile: int, count: Expr) -> Known:
    """Where a block's tile starts: blockIdx.x / inner % wrap * tile."""
    printer = with_block(printer)
    if count in (ZERO, ONE):
        return Known(ZERO, printer)
    value: Expr = folded(Call("/", (block_index(printer), inner), INDEX))
    if wrap is not None:
        value = folded(Call("%", (value, wrap), INDEX))
    return Known(folded(Call("*", (value, Const(tile)), INDEX)), printer)


def with_block(printer: Printer) -> Printer:
    """A printer that knows that the number of a block is never negative."""
    return where_natural(printer, block_index(printer))
