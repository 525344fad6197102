"""Tiles over words: sums in vector registers by dot instructions, or in tile registers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tvm import tirx

from uol.backends.cpu.dots.instructions import (
    ROWS_AHEAD,
    WORDS_AT_ONCE,
    TileRows,
    TileSums,
    begin_tiles,
    dot,
    end_tiles,
    multiply_tiles,
)
from uol.backends.cpu.dots.word_copies import WordSliverCopy, is_of_other_sign, word_count
from uol.backends.cpu.dots.words import words_of
from uol.backends.cpu.expressions.builder import SERIAL, UNROLLED, VECTORIZED, Builder, Extent, index
from uol.backends.cpu.expressions.dtypes import Term, representation
from uol.backends.cpu.expressions.spec_expressions import Scope, evaluate
from uol.backends.cpu.expressions.transposes import put_vector, vector_at
from uol.backends.cpu.operands.factors import the_read
from uol.backends.cpu.schedules.kinds import Panels
from uol.backends.cpu.schedules.legality import TILE_ROWS
from uol.backends.cpu.schedules.panel_tiles import PanelTile
from uol.codegen.indexing.affine import coefficient
from uol.codegen.indexing.arithmetic import static
from uol.ir.types import DTYPES

ZERO, NO = index(0), tirx.const(False, "bool")


@contextmanager
def tile_registers(code: Builder, schedule: Panels) -> Iterator[None]:
    """What is written has the thread's tile registers, where it takes them."""
    takes = schedule.unit == "tiles"
    if takes:
        code.add(begin_tiles())
    yield
    if takes:
        code.add(end_tiles())


@dataclass(frozen=True, slots=True)
class DotTile(PanelTile):
    """A word of a row, in all lanes, and a vector of words of b: a sum of products for each lane."""

    @property
    def shape(self) -> tuple[int, int]:
        lanes = self.schedule.lanes
        return self.rows[2], -(-self.columns[2] // lanes) * lanes

    def _accumulators(self) -> Iterator[tuple[Term, Term]]:
        rows, columns = self.shape
        code, lanes = self.frame.code, self.schedule.lanes
        for row, vector in self._vectors(rows, columns // lanes):
            with code.loop("lane", lanes, VECTORIZED) as lane:
                yield row, vector * index(lanes) + lane

    def _vectors(self, rows: int, vectors: int) -> Iterator[tuple[Term, Term]]:
        code = self.frame.code
        with code.loop("row", rows, self.row_kind) as row, code.loop("vector", vectors, UNROLLED) as vector:
            yield row, vector

    def _add_block(self, total: Term, scope: Scope) -> None:
        code, (rows, columns), lanes = self.frame.code, self.shape, self.schedule.lanes
        panel, words = self.panel, words_of(self.spec)
        assert words is not None and self.sliver is not None
        pitch, count = self.schedule.vectors * lanes, word_count(panel.depth, panel.schedule)
        if is_of_other_sign(self.spec, panel.schedule):
            self._take_excess(total, panel.start + index(count * pitch))
        at_once = WORDS_AT_ONCE["dots"]
        with code.loop("words", count // at_once) as run, code.loop("word", at_once, UNROLLED) as step:
            word = code.bind("word", run * index(at_once) + step)
            for row, vector in self._vectors(rows, columns // lanes):
                a = tirx.BufferLoad(self.sliver.copy, [row * index(self.sliver.pitch) + word])
                b = vector_at(panel.panels, panel.start + word * index(pitch) + vector * index(lanes), lanes)
                place = self._place(row, vector * index(lanes))
                put_vector(code, total, place, dot(words, lanes, vector_at(total, place, lanes), a, b), lanes)

    def _take_excess(self, total: Term, excess: Term) -> None:
        for row, column in self._accumulators():
            place = self._place(row, column)
            less = tirx.BufferLoad(total, [place]) - tirx.BufferLoad(self.panel.panels, [excess + column])
            self.frame.code.add(tirx.BufferStore(total, less, [place]))


@dataclass(frozen=True, slots=True)
class RegisterTiles(PanelTile):
    """Up to two by two tile registers of sums; between blocks of k they are in memory, and the next goes on from there."""

    @property
    def shape(self) -> tuple[int, int]:
        columns = self.schedule.lanes
        return -(-self.rows[2] // TILE_ROWS) * TILE_ROWS, -(-self.columns[2] // columns) * columns

    @property
    def row_kind(self) -> Term:
        return SERIAL

    def write(self, scope: Scope) -> None:
        code, block, size = self.frame.code, self.panel.block, self.shape[0] * self.shape[1]
        results = code.local(self.spec.acc, size, representation(self.spec.acc_dtype).compute)
        total = tirx.BufferLoad(results, [ZERO])
        last = index(self.panel.depth.count) - index(1)
        if self.schedule.prefetch_results:
            with self._when(tirx.EQ(block, last)):
                self._prefetch_results(scope)
        if self.sums is None:
            self._multiply(scope, TileSums(total, self.shape[1], total, NO), is_last=True)
        else:
            most = self.schedule.rows * self.schedule.vectors * self.schedule.lanes
            slot = tirx.BufferLoad(self.sums, [code.bind("slot", self.slot * index(most))])
            for condition, sums in ((block < last, slot), (tirx.EQ(block, last), total)):
                with code.when(condition):
                    self._multiply(scope, TileSums(sums, self.shape[1], slot, block > ZERO), is_last=sums is total)
        with self._when(tirx.EQ(block, last)):
            self._epilogue(scope, results)

    def _multiply(self, scope: Scope, sums: TileSums, *, is_last: bool) -> None:
        """A block of k. Of rows that lie in memory what is left beyond whole registers comes last, from a copy."""
        words, panel, sliver = words_of(self.spec), self.panel, self.sliver
        assert words is not None and isinstance(sliver, WordSliverCopy)
        tiles = self.shape[0] // TILE_ROWS, self.shape[1] // self.schedule.lanes
        deep, b_step = WORDS_AT_ONCE["tiles"], WORDS_AT_ONCE["tiles"] * self.schedule.vectors * self.schedule.lanes
        b, copy = tirx.BufferLoad(panel.panels, [panel.start]), tirx.BufferLoad(sliver.copy, [ZERO])
        if not sliver.is_in_place(self.rows[2]):
            a, count = TileRows(copy, 4 * sliver.pitch, copy), word_count(panel.depth, panel.schedule) // deep
            self.frame.code.add(multiply_tiles(words, tiles, sums, a, (b, b_step), count))
            return
        point, steps = panel.depth.first(self.frame, scope, panel.block)
        whole = self._count(steps, deep * words.steps)
        self.frame.code.add(multiply_tiles(words, tiles, sums, self._rows_in_place(point), (b, b_step), whole))
        if is_last and sliver.rest:
            b = tirx.BufferLoad(panel.panels, [panel.start + index(whole) * index(b_step)])
            more = TileSums(sums.first, sums.pitch, sums.first, tirx.Not(NO))
            a = TileRows(copy, 4 * deep, copy)
            self.frame.code.add(multiply_tiles(words, tiles, more, a, (b, b_step), 1))

    def _count(self, steps: Extent, length: int) -> Extent:
        """Whole registers along k in so many steps."""
        return steps // length if isinstance(steps, int) else self.frame.code.bind("whole", tirx.FloorDiv(steps, index(length)))

    def _rows_in_place(self, point: Scope) -> TileRows:
        """The rows where they lie. The tiles of columns ask for the next rows, a few each."""
        (axis, first, _), (_, column, width) = self.rows, self.columns
        read, height = the_read(self.spec.a), self.schedule.rows
        source, extent = self.frame.scope.buffers[read.tensor], static(axis.extent) or 0
        share = tirx.FloorMod(tirx.FloorDiv(column, index(width)), index(height // ROWS_AHEAD)) * index(ROWS_AHEAD)
        next_row = tirx.Min(first + index(height) + share, index(max(0, extent - ROWS_AHEAD)))
        here, ahead = (
            tirx.BufferLoad(source, [evaluate(read.offset, point.with_values({axis.name: row}))]) for row in (first, next_row)
        )
        apart = coefficient(read.offset, axis.name) or 0
        return TileRows(here, apart * DTYPES[read.dtype].bytes, ahead)
