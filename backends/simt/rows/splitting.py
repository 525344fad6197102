"""Long rows go over several blocks: folds in two launches a pass, scans in three, orders by tiles and merges."""

from __future__ import annotations

from uol.backends.simt.c_text.counters import count_of, typical
from uol.backends.simt.elements.vectors import WHOLE_BYTES
from uol.backends.simt.rows.row_schedules import lanes_want_rows
from uol.backends.simt.rows.select_plan import TILE, with_workspace
from uol.backends.simt.schedules import THREADS
from uol.codegen.backend import Device
from uol.codegen.indexing.arithmetic import ZERO, size, static
from uol.codegen.specs.long_rows.cut_passes import cut_passes
from uol.codegen.specs.long_rows.split_folds import may_be_split, split_folds
from uol.codegen.specs.long_rows.split_scan import may_be_parted, split_scan
from uol.codegen.specs.long_rows.split_select import may_be_cut, split_select
from uol.codegen.specs.nodes import KernelSpec, Reduce, Scan, Select
from uol.codegen.specs.runs import run_of

BLOCKS_A_CORE = 4
"""Of 256 threads: half of what a core holds, which hides the latency of its loads."""
LEAST = 1 << 14
"""Columns that a block is worth: it takes about as long for them as a further launch does, some microseconds."""
LONG = 256
"""Parts of so many columns and more are multiples of 16: so many of one byte are the largest access."""
LEAST_A_THREAD = 64
"""The same where a thread has its rows alone."""


def split(spec: Reduce, device: Device) -> tuple[KernelSpec, ...]:
    """A Reduce as it is; or each pass over its rows as a kernel, or as two."""
    is_known = all(static(a.extent) for a in spec.cols) and ZERO not in (a.extent for a in spec.rows)
    if not is_known or run_of(spec) or _parts(spec, device) < 2:
        return (spec,)
    passes = (spec,) if may_be_split(spec) else cut_passes(spec)
    if not any(isinstance(each, Reduce) and may_be_split(each) for each in passes):
        return (spec,)
    return tuple(kernel for each in passes for kernel in _in_parts(each, device))


def _in_parts(spec: KernelSpec, device: Device) -> tuple[KernelSpec, ...]:
    if not isinstance(spec, Reduce) or not may_be_split(spec):
        return (spec,)
    axis = max(spec.cols, key=lambda a: static(a.extent) or 0)
    extent = static(axis.extent) or 0
    wanted = min(_parts(spec, device), extent)
    if wanted < 2:
        return (spec,)
    even = _even_parts(wanted, extent)
    return split_folds(spec, axis, even or wanted, 1 if even or extent < wanted * LONG else WHOLE_BYTES)


def _even_parts(wanted: int, extent: int) -> int | None:
    """About as many parts as are wanted, of one size: no thread then asks where the last one ends. Best is a size that large
    accesses divide."""
    fitting = [n for n in range(max(2, wanted * 3 // 4), min(wanted * 4 // 3, extent) + 1) if extent % n == 0]
    return min(fitting, key=lambda n: (extent // n % WHOLE_BYTES != 0, abs(n - wanted)), default=None)


def split_long_scan(spec: Scan, device: Device) -> tuple[KernelSpec, ...]:
    """A Scan as it is, or as three kernels, where parts of one size are enough."""
    rows, extent = static(size(spec.rows)), static(spec.along.extent) or 0
    if not rows or not may_be_parted(spec):
        return (spec,)
    wanted = min(device.cores * BLOCKS_A_CORE // rows, extent // LEAST)
    parts = next((n for n in range(wanted, 1, -1) if extent % n == 0), 1)
    return (spec,) if parts < 2 else split_scan(spec, parts)


def split_long_select(spec: Select) -> tuple[Select, ...]:
    """A Select whose rows a block sorts at once; several, where rows are known to be longer; or one with what a block needs to
    sort a row of any length."""
    if (static(spec.col.extent) or 0) <= TILE or not may_be_cut(spec):
        return (with_workspace(spec),)
    return split_select(spec, TILE)


def _parts(spec: Reduce, device: Device) -> int:
    """How many make every core busy, and leave each enough to do."""
    rows, columns = typical(size(spec.rows)), count_of(spec.cols)
    if lanes_want_rows(spec, spec.rows, spec.cols):
        wanted, most = device.cores * BLOCKS_A_CORE * THREADS // rows, columns // LEAST_A_THREAD
    else:
        wanted, most = device.cores * BLOCKS_A_CORE // rows, columns // LEAST
    return min(wanted, most)
