"""A register tile over a panel: the sum of a block of k, which is added to those of the blocks before, and the epilogue after
the last block."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

from tvm import tirx

from uol.backends.cpu.expressions.builder import index
from uol.backends.cpu.expressions.dtypes import Term, representation
from uol.backends.cpu.expressions.spec_expressions import Scope
from uol.backends.cpu.expressions.vectorising import lane_loop
from uol.backends.cpu.operands.panels import IMAGE, PIXEL, Image, image_of
from uol.backends.cpu.schedules.panel_copies import PanelCopy, SliverCopy
from uol.backends.cpu.schedules.register_tiles import Tile
from uol.backends.cpu.statements import run_steps

ZERO = index(0)


@dataclass(frozen=True, slots=True)
class PanelTile(Tile):
    """A tile for a block of k: what was summed before, what this block adds, and the epilogue after the last."""

    panel: PanelCopy
    sliver: SliverCopy | None
    sums: Term | None
    slot: Term

    def write(self, scope: Scope) -> None:
        code, spec = self.frame.code, self.spec
        compute = representation(spec.acc_dtype).compute
        total = code.local(spec.acc, self.shape[0] * self.shape[1], compute)
        last = index(self.panel.depth.count) - index(1)
        self._clear(total, compute)
        if self.schedule.prefetch_results:
            with self._when(tirx.EQ(self.panel.block, last)):
                self._prefetch_results(scope)
        self._add_block(total, scope)
        if self.sums is not None:
            with code.when(self.panel.block > ZERO):
                self._add_earlier(total, self.sums)
            with code.when(self.panel.block < last):
                self._keep(total, self.sums)
        with self._when(tirx.EQ(self.panel.block, last)):
            self._finish(total, scope)

    def _finish(self, total: Term, scope: Scope) -> None:
        """The epilogue. Of columns that run over images it is by vectors where one lies within an image."""
        image = image_of(self.spec)
        if image is None:
            self._epilogue(scope, total)
            return
        code, lanes, (_, first, width) = self.frame.code, self.schedule.lanes, self.columns
        done = code.local("done", self.shape[0] * self.shape[1], representation(self.spec.acc_dtype).compute)
        for row, column in self._accumulators():
            place = [self._place(row, column)]
            code.add(tirx.BufferStore(done, tirx.BufferLoad(total, place), place))
        if image.pixels < lanes:
            with code.loop("column", width) as column, code.loop("row", self.rows[2]) as row:
                self._finish_one_by_one(done, scope, row, (column, 1))
            return
        with code.loop("row", self.rows[2]) as row:
            with code.loop("vector", width // lanes) as number:
                start = code.bind("start", number * index(lanes))
                pixel = code.bind("pixel", tirx.FloorMod(first + start, index(image.pixels)))
                within = pixel <= index(image.pixels - lanes)
                with code.when(within):
                    self._finish_within(image, done, scope, row, start)
                with code.when(tirx.Not(within)):
                    self._finish_one_by_one(done, scope, row, (start, lanes))
            if rest := width % lanes:
                self._finish_one_by_one(done, scope, row, (index(width - rest), rest))

    def _finish_within(self, image: Image, done: Term, scope: Scope, row: Term, start: Term) -> None:
        """A vector of results within an image."""
        code, name, first = self.frame.code, self.columns[0].name, self.columns[1]
        number = code.bind("image", tirx.FloorDiv(first + start, index(image.pixels)))
        pixel = code.bind("pixel", tirx.FloorMod(first + start, index(image.pixels)))
        kind = lane_loop(image.steps, (name, PIXEL, self.spec.acc), scope)
        with code.loop("lane", self.schedule.lanes, kind) as lane:
            held = tirx.BufferLoad(done, [self._place(row, start + lane)])
            places = {IMAGE: number, PIXEL: pixel + lane, self.spec.acc: held}
            run_steps(code, image.steps, self._at(scope, row, start + lane).with_values(places))

    def _finish_one_by_one(self, done: Term, scope: Scope, row: Term, columns: tuple[Term, int]) -> None:
        """So many results from a column on."""
        start, count = columns
        with self.frame.code.loop("column", count) as more:
            held = tirx.BufferLoad(done, [self._place(row, start + more)])
            here = self._at(scope, row, start + more).with_values({self.spec.acc: held})
            run_steps(self.frame.code, self.spec.epilogue, here)

    def _when(self, condition: Term) -> AbstractContextManager[None]:
        """Under a condition on the block of k; of one block it always holds."""
        return nullcontext() if self.sums is None else self.frame.code.when(condition)

    def _add_earlier(self, total: Term, sums: Term) -> None:
        """What the blocks before have summed up in the tile's slot."""
        for here, slot in self._slots():
            both = tirx.Add(tirx.BufferLoad(sums, [slot]), tirx.BufferLoad(total, [here]))
            self.frame.code.add(tirx.BufferStore(total, both, [here]))

    def _keep(self, total: Term, sums: Term) -> None:
        """The sums so far to the tile's slot."""
        for here, slot in self._slots():
            self.frame.code.add(tirx.BufferStore(sums, tirx.BufferLoad(total, [here]), [slot]))

    def _slots(self) -> Iterator[tuple[Term, Term]]:
        """The place of every accumulator, in the tile and in the sums of the task."""
        size = self.schedule.rows * self.schedule.vectors * self.schedule.lanes
        start = self.frame.code.bind("slot", self.slot * index(size))
        for row, column in self._accumulators():
            yield self._place(row, column), start + self._place(row, column)

    def _add_block(self, total: Term, scope: Scope) -> None:
        code, panel, pitch = self.frame.code, self.panel, self.schedule.vectors * self.schedule.lanes
        for point, step in panel.depth.steps(self.frame, scope, panel.block):
            line = code.bind("line", panel.start + step * index(pitch))
            a = None if self.sliver is None else self.sliver.at(step)
            self._add(total, point, True, panel.row(line), a)
