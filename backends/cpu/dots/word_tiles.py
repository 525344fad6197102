"""Tiles over words: sums in vector registers by dot instructions, or in tile registers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tvm import tirx

from uol.backends.cpu.dots.instructions import WORDS_AT_ONCE, add_tiles, begin_tiles, dot, end_tiles
from uol.backends.cpu.dots.word_copies import is_of_other_sign, word_count
from uol.backends.cpu.dots.words import words_of
from uol.backends.cpu.expressions.builder import SERIAL, UNROLLED, VECTORIZED, Builder, index
from uol.backends.cpu.expressions.dtypes import Term
from uol.backends.cpu.expressions.spec_expressions import Scope
from uol.backends.cpu.expressions.transposes import put_vector, vector_at
from uol.backends.cpu.schedules.kinds import Panels
from uol.backends.cpu.schedules.legality import TILE_ROWS
from uol.backends.cpu.schedules.panel_tiles import PanelTile


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
class RegisterTiles(DotTile):
    """Up to two by two tile registers of sums; between blocks of k they are in memory."""

    @property
    def shape(self) -> tuple[int, int]:
        columns = self.schedule.lanes
        return -(-self.rows[2] // TILE_ROWS) * TILE_ROWS, -(-self.columns[2] // columns) * columns

    @property
    def row_kind(self) -> Term:
        return SERIAL

    def _add_block(self, total: Term, scope: Scope) -> None:
        words, panel = words_of(self.spec), self.panel
        assert words is not None and self.sliver is not None
        pitch, count = self.schedule.vectors * self.schedule.lanes, word_count(panel.depth, panel.schedule)
        sums = tirx.BufferLoad(total, [index(0)]), self.shape[1]
        a = tirx.BufferLoad(self.sliver.copy, [index(0)]), self.sliver.pitch
        b = tirx.BufferLoad(panel.panels, [panel.start]), pitch
        tiles = self.shape[0] // TILE_ROWS, self.shape[1] // self.schedule.lanes
        self.frame.code.add(add_tiles(words, tiles, sums, a, b, count))
