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
from uol.backends.cpu.schedules.panel_copies import PanelCopy, SliverCopy
from uol.backends.cpu.schedules.register_tiles import Tile

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
            self._epilogue(scope, total)

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
