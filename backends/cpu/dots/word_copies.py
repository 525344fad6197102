"""Copies of a product's operands as words, for a block of k.

    panels[tile of columns][word of k][columns of a tile]     of b
    sliver[rows of a tile][word of k]                         of a, for a tile of rows

For tile registers, panels are whole registers one after the other, and rows of a that lie along k are no copy: of them a sliver
has what is left beyond whole registers.

Words run over all steps of a block; what is missing of the last one, and words up to a whole number of those that an
instruction takes, are zeros. A b that lies along columns is put together of vectors, steps that are neighbours in memory are
copied as they are, by vectors of words (of b, transposed), and all else element by element.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tvm import tirx

from uol.backends.cpu.dots.instructions import OTHER_SIGN, WORDS_AT_ONCE, dot
from uol.backends.cpu.dots.words import Words, lies_in_rows, words_of
from uol.backends.cpu.expressions.builder import SERIAL, VECTORIZED, index
from uol.backends.cpu.expressions.dtypes import Term
from uol.backends.cpu.expressions.spec_expressions import Scope, evaluate
from uol.backends.cpu.expressions.transposes import put_vector, transposed, vector_at
from uol.backends.cpu.expressions.vectorising import vectorises
from uol.backends.cpu.frame import Frame
from uol.backends.cpu.operands.factors import the_read
from uol.backends.cpu.schedules.depth import Depth
from uol.backends.cpu.schedules.kinds import Panels
from uol.backends.cpu.schedules.legality import TILE_ROWS
from uol.backends.cpu.schedules.panel_copies import PanelCopy, SliverCopy
from uol.backends.cpu.schedules.tile_axes import Side
from uol.codegen.indexing.affine import coefficient
from uol.codegen.indexing.arithmetic import static
from uol.codegen.specs.nodes import Contract, Read
from uol.ir.program.nodes import Axis

ZERO = index(0)
NO_WORD = tirx.const(0, "int32")


def word_count(depth: Depth, schedule: Panels) -> int:
    """Words of a block, a whole number of those that an instruction takes."""
    at_once = WORDS_AT_ONCE[schedule.unit]
    return -(-depth.most // (schedule.word * at_once)) * at_once


def panel_elements(spec: Contract, schedule: Panels, depth: Depth) -> int:
    """Elements that the panel of a tile of columns takes."""
    rows = word_count(depth, schedule) + is_of_other_sign(spec, schedule) if schedule.unit else depth.most
    return rows * schedule.vectors * schedule.lanes


def is_of_other_sign(spec: Contract, schedule: Panels) -> bool:
    """Is a copied with its sign bits turned over? The dot instruction on bytes takes one operand without a sign, one with."""
    words = words_of(spec)
    return words is not None and words.alike and schedule.unit == "dots"


@dataclass(frozen=True, slots=True)
class _Source:
    """The words of a factor in a block of k, whose elements `read` gives."""

    frame: Frame
    read: Read
    words: Words
    depth: Depth
    block: Term

    @staticmethod
    def of(frame: Frame, spec: Contract, read: Read, depth: Depth, block: Term) -> _Source:
        words = words_of(spec)
        assert words is not None
        return _Source(frame, read, words, depth, block)

    @property
    def lies_along_k(self) -> bool:
        """Are the steps of a word neighbours in memory, all of them there?"""
        return not self.read.guard and coefficient(self.read.offset, self.depth.axes[-1].name) == 1

    def runs(self, scope: Scope, lanes: int) -> Iterator[tuple[Scope, Term, int]]:
        """Vectors of words, where there are as many along k, then words, then what a last word has: the first step, the number
        of the word, and how many steps."""
        steps = self.words.steps
        rest = (static(self.depth.axes[-1].extent) or 0) % steps
        lengths = [*([lanes * steps] if lanes > 1 else []), steps, *([rest] if rest else [])]
        for point, before, run in self.depth.runs(self.frame, scope, self.block, *lengths):
            yield point, tirx.FloorDiv(before, index(steps)), run

    def vector(self, point: Scope, lanes: int) -> Term:
        """The words from a step on, which lie as they are."""
        source = self.frame.scope.buffers[self.read.tensor]
        elements = vector_at(source, evaluate(self.read.offset, point), lanes * self.words.steps)
        return tirx.reinterpret(f"int32x{lanes}", elements)

    def word(self, point: Scope, steps: int) -> Term:
        """The word whose first step that is, of so many steps."""
        name, value = self.depth.axes[-1].name, NO_WORD
        for step in range(steps):
            element = self._element(point.with_values({name: point.values[name] + index(step)}))
            value = value | (element << tirx.const(step * self.words.bits, "int32"))
        return value

    def _element(self, point: Scope) -> Term:
        """The bits of an element, with zeros above: those of a bf16 are the upper half of the f32 that it stands for."""
        value = evaluate(self.read, point)
        if self.words.name == "bf16":
            return tirx.Cast("int32", tirx.Cast("uint16", tirx.reinterpret("int32", value) >> tirx.const(16, "int32")))
        return tirx.Cast("int32", tirx.Cast("uint8", value))

    def padding(self, scope: Scope, all_words: int) -> tuple[Term, Term]:
        """The first word of the block that is nothing but padding, and how many there are."""
        steps, word = self.depth.length(self.frame, scope, self.block), self.words.steps
        there = index(-(-steps // word)) if isinstance(steps, int) else tirx.FloorDiv(steps + index(word - 1), index(word))
        return there, index(all_words) - there


@dataclass(frozen=True, slots=True)
class WordPanelCopy(PanelCopy):
    """The copy of b for a tile of columns and a block of k, from `start` on. Where a is of the other sign, a last row has what
    the sums of each column are too large by."""

    def write(self, columns: Side, scope: Scope) -> None:
        """Columns beyond the last are left as they are: what is computed of them is not used."""
        source = _Source.of(self.frame, self.spec, the_read(self.spec.b), self.depth, self.block)
        name, lanes = columns.axis.name, self.schedule.lanes
        by_rows = coefficient(source.read.offset, name) == 1
        for first, width in columns.pieces(self.frame, scope):
            done = width - width % lanes if source.lies_along_k and not by_rows else 0
            if done:
                with self.frame.code.loop("columns", done // lanes) as group:
                    begin = self.frame.code.bind("begin", group * index(lanes))
                    self._transpose_words(source, (name, first + begin), begin, scope)
            if by_rows:
                self._rows_of_words(source, name, first, width, scope)
            elif done < width:
                with self.frame.code.loop("column", width - done, start=done) as column:
                    self._column(source, {name: first + column}, column, scope)
        self._pad(source, scope)
        if is_of_other_sign(self.spec, self.schedule):
            self._put_excess()

    def _place(self, word: Term, column: Term) -> Term:
        if self.schedule.unit != "tiles":
            return PanelCopy._place(self, word, column)
        lanes, vectors, deep = index(self.schedule.lanes), index(self.schedule.vectors), index(WORDS_AT_ONCE["tiles"])
        register = tirx.FloorDiv(word, deep) * vectors + tirx.FloorDiv(column, lanes)
        return self.start + (register * deep + tirx.FloorMod(word, deep)) * lanes + tirx.FloorMod(column, lanes)

    def _column(self, source: _Source, at: dict[str, Term], column: Term, scope: Scope) -> None:
        for point, word, run in source.runs(scope, 1):
            value = source.word(point.with_values(at), run)
            self.frame.code.add(tirx.BufferStore(self.panels, value, [self._place(word, column)]))

    def _rows_of_words(self, source: _Source, name: str, first: Term, width: int, scope: Scope) -> None:
        lanes = self.schedule.lanes
        for point, word, run in source.runs(scope, 1):
            kind = VECTORIZED if vectorises(source.read, {name}, point) else SERIAL
            for begin in range(0, width, lanes):
                with self.frame.code.loop("lane", min(lanes, width - begin), kind) as lane:
                    value = source.word(point.with_values({name: first + index(begin) + lane}), run)
                    self.frame.code.add(tirx.BufferStore(self.panels, value, [self._place(word, index(begin)) + lane]))

    def _transpose_words(self, source: _Source, start: tuple[str, Term], begin: Term, scope: Scope) -> None:
        """A vector of columns, from a start (axis and index) on, in square blocks of words; what is left of k, word by word."""
        code, lanes, (name, first) = self.frame.code, self.schedule.lanes, start
        for point, word, run in source.runs(scope, lanes):
            if run == lanes * source.words.steps:
                places = [point.with_values({name: first + index(column)}) for column in range(lanes)]
                rows = [code.hold("row", source.vector(place, lanes)) for place in places]
                for number, column in enumerate(transposed(code, rows)):
                    put_vector(code, self.panels, self._place(word + index(number), begin), column, lanes)
                continue
            with code.loop("column", lanes) as column:
                value = source.word(point.with_values({name: first + column}), run)
                code.add(tirx.BufferStore(self.panels, value, [self._place(word, begin + column)]))

    def _pad(self, source: _Source, scope: Scope) -> None:
        first, count = source.padding(scope, word_count(self.depth, self.schedule))
        width, lanes = self.schedule.vectors * self.schedule.lanes, self.schedule.lanes
        with self.frame.code.loop("padding", count) as number:
            for column in range(0, width, lanes):
                place = self._place(first + number, index(column))
                put_vector(self.frame.code, self.panels, place, tirx.Broadcast(NO_WORD, lanes), lanes)

    def _put_excess(self) -> None:
        """What the other sign adds to all elements of a row, summed over b."""
        code, lanes, count = self.frame.code, self.schedule.lanes, word_count(self.depth, self.schedule)
        words = words_of(self.spec)
        assert words is not None
        with code.loop("vector", self.schedule.vectors) as vector:
            column = vector * index(lanes)
            total = code.local("excess", lanes, "int32")
            put_vector(code, total, ZERO, tirx.Broadcast(NO_WORD, lanes), lanes)
            with code.loop("word", count) as word:
                b = vector_at(self.panels, self._place(word, column), lanes)
                put_vector(code, total, ZERO, dot(words, lanes, vector_at(total, ZERO, lanes), OTHER_SIGN, b), lanes)
            put_vector(code, self.panels, self._place(index(count), column), vector_at(total, ZERO, lanes), lanes)


@dataclass(frozen=True, slots=True)
class WordSliverCopy(SliverCopy):
    """The copy of a for a tile of rows and a block of k, whose rows are `pitch` words apart."""

    schedule: Panels

    def is_in_place(self, height: int) -> bool:
        """Are so many rows read where they lie? Not those of a register that has fewer."""
        schedule = self.schedule
        return schedule.unit == "tiles" and not schedule.slivers and lies_in_rows(self.spec) and height % TILE_ROWS == 0

    @property
    def rest(self) -> int:
        """Steps along k beyond whole registers."""
        words = words_of(self.spec)
        assert words is not None
        return (static(self.spec.k[-1].extent) or 0) % (WORDS_AT_ONCE["tiles"] * words.steps)

    def write(self, rows: tuple[Axis, Term, int], scope: Scope) -> None:
        """Rows beyond the last are left as they are: what is computed of them is not used."""
        if self.is_in_place(rows[2]):
            with self.frame.code.when(tirx.EQ(self.block, index(self.depth.count) - index(1))):
                self._write_rest(rows, scope)
            return
        source = _Source.of(self.frame, self.spec, the_read(self.spec.a), self.depth, self.block)
        code, (axis, first, height), lanes = self.frame.code, rows, self.schedule.lanes
        with code.loop("row", height) as row:
            line, here = code.bind("line", row * index(self.pitch)), scope.with_values({axis.name: first + row})
            for point, word, run in source.runs(here, lanes if source.lies_along_k else 1):
                if run == lanes * source.words.steps:
                    vector = self._signed(source.vector(point, lanes), lanes)
                    put_vector(code, self.copy, line + word, vector, lanes)
                    continue
                value = self._signed(source.word(point, run), 1)
                code.add(tirx.BufferStore(self.copy, value, [line + word]))
            begin, count = source.padding(here, self.pitch)
            with code.loop("padding", count) as number:
                code.add(tirx.BufferStore(self.copy, NO_WORD, [line + begin + number]))

    def _write_rest(self, rows: tuple[Axis, Term, int], scope: Scope) -> None:
        """The last steps of the rows, in the words of one register."""
        source = _Source.of(self.frame, self.spec, the_read(self.spec.a), self.depth, self.block)
        code, (axis, first, height), k = self.frame.code, rows, self.spec.k[-1]
        start, steps = (static(k.extent) or 0) - self.rest, source.words.steps
        with code.loop("row", height) as row:
            line, here = code.bind("line", row * index(WORDS_AT_ONCE["tiles"])), scope.with_values({axis.name: first + row})
            for word in range(WORDS_AT_ONCE["tiles"]):
                point = here.with_values({k.name: index(start + word * steps)})
                value = source.word(point, max(0, min(steps, self.rest - word * steps)))
                code.add(tirx.BufferStore(self.copy, value, [line + index(word)]))

    def _signed(self, value: Term, lanes: int) -> Term:
        """Words with the sign that the instruction takes."""
        if not is_of_other_sign(self.spec, self.schedule):
            return value
        return value ^ (tirx.Broadcast(OTHER_SIGN, lanes) if lanes > 1 else OTHER_SIGN)
