"""Does a kernel over rows fit the machine with a schedule? Asked before any text is made."""

from __future__ import annotations

from uol.backends.simt.c_text.types import COMPUTE, COMPUTE_BYTES
from uol.backends.simt.kernel.schedule_kind import no_such_schedule
from uol.backends.simt.machine.fitting import fitting, parts_by
from uol.backends.simt.machine.target import Machine
from uol.backends.simt.rows.row_schedules import columns_side_by_side, lanes_of_rows, rows_side_by_side
from uol.backends.simt.rows.schedule import BlockPerRow, RowSchedule, ThreadPerRow
from uol.backends.simt.rows.select_plan import blocks_of, shared_bytes, tile_of
from uol.backends.simt.rows.staging import staged_bytes
from uol.backends.simt.rows.tile_sort import EACH, MOST_EACH, each_of
from uol.codegen.backend import Footprint, Refusal
from uol.codegen.indexing.arithmetic import ONE, size
from uol.codegen.specs.expression_text import expr_text
from uol.codegen.specs.nodes import Fold, Reduce, Scan, Select
from uol.codegen.specs.steps import PICKS, RECURRENCE, passes_of


def check_rows(spec: Reduce | Scan, schedule: RowSchedule, machine: Machine) -> Footprint | Refusal:
    """Shared bytes, threads and grid of a kernel over rows, or why it cannot be one."""
    match spec, schedule:
        case _, ThreadPerRow():
            return _own_rows(spec, schedule, machine)
        case Scan(), BlockPerRow(rows=1, staged=False):
            return _shared_scan(spec, schedule, machine)
        case Reduce(), BlockPerRow():
            return _shared_rows(spec, schedule, machine)
    return no_such_schedule(spec, schedule)


def check_order(spec: Select, schedule: BlockPerRow, machine: Machine) -> Footprint | Refusal:
    """The same of a kernel with a block for each row, or for each tile of two runs that are merged."""
    if (schedule.rows, schedule.each, schedule.staged) != (1, 1, False):
        return no_such_schedule(spec, schedule)
    threads, tile = schedule.threads, tile_of(spec)
    if each_of(tile, threads) > MOST_EACH or threads & (threads - 1):
        return Refusal(f"{threads} threads do not sort a tile of {tile}", f"{tile // EACH} threads")
    return fitting(machine, threads, blocks_of(spec), shared_bytes(spec))


def _own_rows(spec: Reduce | Scan, schedule: ThreadPerRow, machine: Machine) -> Footprint | Refusal:
    """The footprint of kernels whose threads have a row each, or why there is none."""
    threads, each = schedule.threads, schedule.each
    if each < 1 or (each > 1 and rows_side_by_side(spec) % each):
        return Refusal(f"{each} rows do not lie side by side", f"{rows_side_by_side(spec)} rows a thread")
    return fitting(machine, threads, parts_by(size(spec.rows), threads * each), 0)


def _shared_rows(spec: Reduce, schedule: BlockPerRow, machine: Machine) -> Footprint | Refusal:
    """The footprint of kernels with a block for each row, or for several."""
    rows, warp, threads = size(spec.rows), machine.lanes, schedule.threads
    if size(spec.cols) == ONE:
        return Refusal("a row of one column is nothing to share", "a row a thread")
    if refusal := _not_side_by_side(spec, schedule):
        return refusal
    staged = staged_bytes(spec, schedule.rows) if schedule.staged and schedule.rows > 0 else 0
    if staged is None or (staged and schedule.each > 1):
        return Refusal(f"{schedule.rows} rows are no piece of memory", "rows that are loaded where they are needed")
    if schedule.rows == 1:
        folds = tuple(f for p in passes_of(spec).passes for f in p.folds)
        return fitting(machine, threads, rows, staged + _scratch_bytes(folds, threads, machine))
    if schedule.rows < 1 or threads % schedule.rows or schedule.lanes not in (1 << n for n in range(warp.bit_length())):
        reason = f"{schedule.rows} rows do not share {threads} threads by powers of two up to {warp}"
        return Refusal(reason, f"{threads // warp} rows")
    if not schedule.staged and schedule.lanes < (least := lanes_of_rows(rows, 1, warp)):
        reason = f"of {warp // schedule.lanes} rows of a warp some lie behind the last of {expr_text(rows)}"
        return Refusal(reason, f"{threads // least} rows")
    return fitting(machine, threads, parts_by(rows, schedule.rows), staged)


def _shared_scan(spec: Scan, schedule: BlockPerRow, machine: Machine) -> Footprint | Refusal:
    """The footprint of scans with a block for each row."""
    if refusal := _not_side_by_side(spec, schedule):
        return refusal
    folds = tuple(s for s in spec.steps if isinstance(s, Fold))
    return fitting(machine, schedule.threads, size(spec.rows), _scratch_bytes(folds, schedule.threads, machine))


def _not_side_by_side(spec: Reduce | Scan, schedule: BlockPerRow) -> Refusal | None:
    """A refusal where a thread should have more columns than one access may."""
    if schedule.each == 1 or (schedule.each > 1 and columns_side_by_side(spec) % schedule.each == 0):
        return None
    return Refusal(f"{schedule.each} columns do not lie side by side", f"{columns_side_by_side(spec)} columns a thread")


def _scratch_bytes(folds: tuple[Fold, ...], threads: int, machine: Machine) -> int:
    """One element a warp, for every C type that is folded; a pick holds a value and an index, 16 bytes at most, a map two
    values."""
    picks = {COMPUTE[f.value.type] for f in folds if f.op in PICKS}
    plain = {COMPUTE[f.dtype] for f in folds if f.op not in PICKS and f.op != RECURRENCE}
    maps = {COMPUTE[f.dtype] for f in folds if f.op == RECURRENCE}
    element_bytes = 16 * len(picks) + sum(COMPUTE_BYTES[ctype] for ctype in (*plain, *maps, *maps))
    return threads // machine.lanes * element_bytes
