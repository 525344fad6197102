"""A register tile over a panel: what was summed before, what a block of k adds, and the epilogue after the last block."""

from __future__ import annotations

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
        with self._when(tirx.EQ(self.panel.block, ZERO)):
            self._clear(total, compute)
        if self.sums is not None:
            with code.when(self.panel.block > ZERO):
                self._move(self.sums, total)
        if self.schedule.prefetch_results:
            with self._when(tirx.EQ(self.panel.block, last)):
                self._prefetch_results(scope)
        self._add_block(total, scope)
        if self.sums is not None:
            with code.when(self.panel.block < last):
                self._move(total, self.sums, back=True)
        with self._when(tirx.EQ(self.panel.block, last)):
            self._epilogue(scope, total)

    def _when(self, condition: Term) -> AbstractContextManager[None]:
        """Under a condition on the block of k; of one block it always holds."""
        return nullcontext() if self.sums is None else self.frame.code.when(condition)

    def _move(self, source: Term, target: Term, *, back: bool = False) -> None:
        """The sums of the tile from its slot, or back to it."""
        size = self.schedule.rows * self.schedule.vectors * self.schedule.lanes
        start = self.frame.code.bind("slot", self.slot * index(size))
        for row, column in self._accumulators():
            here, slot = self._place(row, column), start + self._place(row, column)
            read, write = (here, slot) if back else (slot, here)
            self.frame.code.add(tirx.BufferStore(target, tirx.BufferLoad(source, [read]), [write]))

    def _add_block(self, total: Term, scope: Scope) -> None:
        code, panel, pitch = self.frame.code, self.panel, self.schedule.vectors * self.schedule.lanes
        for point, step in panel.depth.steps(self.frame, scope, panel.block):
            line = code.bind("line", panel.start + step * index(pitch))
            a = None if self.sliver is None else self.sliver.at(step)
            self._add(total, point, True, panel.row(line), a)
