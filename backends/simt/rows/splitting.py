"""Long rows go over several blocks: folds in two launches a pass, scans in three, orders by tiles and merges."""

from __future__ import annotations

from dataclasses import replace
from math import isqrt

from uol.backends.simt.c_text.counters import typical
from uol.backends.simt.machine.limits import THREADS, WHOLE_BYTES
from uol.backends.simt.rows.bucket_plan import keys_of
from uol.backends.simt.rows.kept_reads import MOST_COLUMNS, MOST_THREADS
from uol.backends.simt.rows.row_schedules import lanes_want_rows, rows_side_by_side
from uol.backends.simt.rows.select_plan import TILE, with_workspace
from uol.codegen.backend import Device
from uol.codegen.indexing.arithmetic import ONE, ZERO, size, static
from uol.codegen.specs.collapse_axes import are_joinable, joined
from uol.codegen.specs.long_rows.cut_passes import cut_passes, stores_apart
from uol.codegen.specs.long_rows.cut_scan import cut_scan
from uol.codegen.specs.long_rows.split_folds import folds_of, may_be_split, split_folds
from uol.codegen.specs.long_rows.split_recurrence import is_split_by_maps, split_open_recurrences, split_recurrences
from uol.codegen.specs.long_rows.split_scan import may_be_parted, split_open_scan, split_scan
from uol.codegen.specs.long_rows.split_select import may_be_cut, split_select
from uol.codegen.specs.long_rows.split_squares import are_enough, split_squares
from uol.codegen.specs.long_rows.squares import are_of_one_reading, squares_in
from uol.codegen.specs.nodes import KernelSpec, Reduce, Scan, Select
from uol.codegen.specs.runs import run_of
from uol.codegen.specs.steps import PICKS
from uol.codegen.specs.traverse import reads
from uol.ir.integers.terms import compare, negate
from uol.ir.program.nodes import Axis, Const

BLOCKS_A_CORE = 4
"""Of 256 threads: half of what a core holds, which hides the latency of its loads."""
LEAST = 1 << 14
"""Columns that a block is worth: it takes about as long for them as a further launch does, some microseconds."""
LEAST_OPEN = THREADS
"""The same of a scan whose length is not known: one turn of its threads."""
LONG = 256
"""Parts of so many columns and more are multiples of 16: so many of one byte are the largest access."""
LEAST_A_THREAD = 64
"""The same where a thread has its rows alone."""
MOST_KEPT = MOST_THREADS * MOST_COLUMNS
"""Columns of a part that a block keeps in registers for a second pass."""
LEAST_SHIFTED = 16
"""Columns of a part that a thread goes over once for a sum and for squares: what it stores of them is then at most a quarter of
what it reads of f16, and read twice."""
WARP = 32
"""Rows of which a warp has one each."""
FEW_ELEMENTS = 1 << 15
"""Of all rows: where a core has a block for a row, or more, it reads them across in less time than a further launch takes."""
LEAST_SIDE_BY_SIDE = 1 << 10
"""The same where parts would be enough if rows did not lie side by side in a thread: what a part gives is read again, a sector
for an element, which is then at most 2 % of what is read of the part."""


def split(spec: Reduce, device: Device) -> tuple[KernelSpec, ...]:
    """A Reduce as it is; or each pass over its rows as a kernel, or as two. Where a dim says how long rows are, all of these:
    the launch takes the one, or the others."""
    if ZERO in (a.extent for a in spec.axes) or run_of(spec) or _parts(spec, device) < 2:
        return (spec,)
    passes = (spec,) if may_be_split(spec) else _passes(spec, device)
    if not any(isinstance(each, Reduce) and (may_be_split(each) or are_of_one_reading(each)) for each in passes):
        return (spec,)
    kernels = tuple(kernel for each in passes for kernel in _in_parts(each, device))
    if static(columns := size(spec.cols)) is not None or len(kernels) == 1:
        return kernels
    is_short = compare("<=", columns, Const(2 * _least(spec)))
    whole = replace(spec, name=f"{spec.name}_whole", where=(is_short,))
    return (whole, *(replace(each, where=(negate(is_short),)) for each in kernels))


def _passes(spec: Reduce, device: Device) -> tuple[KernelSpec, ...]:
    """The passes over the rows as kernels. Squares about a mean are of one kernel with the pass that the mean is of, where
    parts have their own."""
    squares = squares_in(spec)
    joined = cut_passes(spec, squares) if squares and static(size(spec.cols)) is not None else ()
    of_squares = [each for each in joined if isinstance(each, Reduce) and squares_in(each)]
    if not of_squares or any(_parts_of_squares(each, device) is None for each in of_squares):
        joined, of_squares = cut_passes(spec), []
    return tuple(part for each in joined for part in ((each,) if each in of_squares else _apart(each)))


def _parts_of_squares(spec: Reduce, device: Device) -> tuple[Reduce, Axis, int, int] | None:
    """Into how many parts such a pass goes, along which of its axes, and of what their length is a multiple; None where it
    stays two passes. A block keeps a part, and a thread whose rows are its own goes over so few columns that the first of them
    may stand for their mean."""
    columns = static(size(spec.cols))
    if columns is None or not are_of_one_reading(spec):
        return None
    are_alone = lanes_want_rows(spec, spec.rows, spec.cols)
    wanted = max(_parts(spec, device), isqrt(3 * columns) + 8 if are_alone else -(-columns // MOST_KEPT), 2)
    spec = _with_long_axis(spec, wanted)
    axis = _longest(spec, wanted)
    extent = static(axis.extent) or 0
    even = _evenly(wanted, wanted * 4 // 3, extent, wanted)
    multiple = WHOLE_BYTES if not even and len(spec.cols) == 1 and not are_alone else 1
    of_axis = -(-extent // ((even or wanted) * multiple)) * multiple
    length = of_axis * (columns // max(extent, 1))
    enough = length >= LEAST_SHIFTED and are_enough(columns // length, length) if are_alone else length <= MOST_KEPT
    return (spec, axis, even or wanted, multiple) if enough and of_axis < extent else None


def _apart(spec: KernelSpec) -> tuple[KernelSpec, ...]:
    return stores_apart(spec) if isinstance(spec, Reduce) else (spec,)


def _in_parts(spec: KernelSpec, device: Device) -> tuple[KernelSpec, ...]:
    if isinstance(spec, Reduce) and (found := squares_in(spec) and _parts_of_squares(spec, device)):
        return split_squares(*found, kept=not lanes_want_rows(spec, spec.rows, spec.cols))
    if not isinstance(spec, Reduce) or not may_be_split(spec):
        return (spec,)
    wanted = _parts(spec, device)
    spec = _with_long_axis(spec, wanted)
    axis = _longest(spec, wanted)
    wanted = min(wanted, typical(axis.extent))
    if wanted < 2:
        return (spec,)
    extent = static(axis.extent)
    even = None if extent is None else _even_parts(wanted, extent)
    is_read_along = len(spec.cols) == 1 and not lanes_want_rows(spec, spec.rows, spec.cols)
    are_long = extent is None or extent >= wanted * LONG
    multiple = WHOLE_BYTES if not even and is_read_along and are_long else 1
    return split_folds(spec, axis, even or wanted, multiple, _rows_along_reads(spec))


def _rows_along_reads(spec: Reduce) -> tuple[Axis, ...]:
    """The rows, behind all others that along which most of what is read lies side by side, if threads have rows and these fill
    a warp: what parts give may lie in any order. (Where places are asked for, their order is that of the rows.)"""
    if any(fold.op in PICKS for fold in folds_of(spec)) or not lanes_want_rows(spec, spec.rows, spec.cols):
        return spec.rows
    steps = [dict(read.strides) for fold in folds_of(spec) for read in reads(fold.value)]
    side_by_side = {axis: sum(each.get(axis.name) == ONE for each in steps) for axis in spec.rows}
    last = max(reversed(spec.rows), key=side_by_side.__getitem__)
    return (*(axis for axis in spec.rows if axis != last), last) if (static(last.extent) or 0) >= WARP else spec.rows


def _with_long_axis(spec: Reduce, parts: int) -> Reduce:
    """The pass with neighbouring columns as one axis, where none of them alone has as many places as parts are wanted: images,
    lines and pixels of a channels-last image are the pixels of all images. Places are counted from the first of the cols: where
    they are asked for, these stay."""
    while all(typical(axis.extent) < parts for axis in spec.cols) and not any(f.op in PICKS for f in folds_of(spec)):
        pairs = zip(spec.cols, spec.cols[1:], strict=False)
        pair = next((p for p in pairs if are_joinable(spec, *p)), None)
        if pair is None:
            break
        spec = joined(spec, *pair)
    return spec


def _longest(spec: Reduce, parts: int) -> Axis:
    """The axis that is cut: one of known extent, where that is enough, for then every part has its share; not the last of them,
    where parts of it would be shorter than what is read at once; the first, where places are asked for."""
    if any(fold.op in PICKS for fold in folds_of(spec)):
        return spec.cols[0]
    known = [axis for axis in spec.cols if (static(axis.extent) or 0) >= parts]
    whole = [axis for axis in known if axis != spec.cols[-1] or (static(axis.extent) or 0) >= parts * LONG]
    return max(whole or known or spec.cols, key=lambda axis: typical(axis.extent))


def _even_parts(wanted: int, extent: int) -> int | None:
    """About as many parts as are wanted, of one size: no thread then asks where the last one ends. Best is a size that large
    accesses divide."""
    return _evenly(max(2, wanted * 3 // 4), wanted * 4 // 3, extent, wanted)


def _evenly(least: int, most: int, extent: int, wanted: int) -> int | None:
    fitting = [n for n in range(least, min(most, extent) + 1) if extent % n == 0]
    return min(fitting, key=lambda n: (extent // n % WHOLE_BYTES != 0, abs(n - wanted)), default=None)


def split_long_scan(spec: Scan, device: Device) -> tuple[KernelSpec, ...]:
    """A Scan as it is, or in parts: all folds that need the same ones at once. Where a dim says how long rows are, both: the
    launch takes the one, or the others."""
    rows, extent = static(size(spec.rows)), static(spec.along.extent)
    levels = cut_scan(spec)
    if not rows or not all(is_split_by_maps(level) or may_be_parted(level) for level in levels):
        return (spec,)
    if extent is None:
        parts = device.cores * BLOCKS_A_CORE // 2 // rows
        if parts < 2 or lanes_want_rows(spec, spec.rows, (spec.along,)):
            return (spec,)
        is_short = compare("<", spec.along.extent, Const(parts * LEAST_OPEN))
        whole = replace(spec, name=f"{spec.name}_whole", where=(*spec.where, is_short))
        parted = tuple(kernel for level in levels for kernel in _in_uneven_parts(level, parts))
        return (whole, *(replace(each, where=(*spec.where, negate(is_short))) for each in parted))
    wanted = min(device.cores * BLOCKS_A_CORE // rows, extent // LEAST)
    if wanted < 2:
        return (spec,)
    even = next((n for n in range(wanted, wanted // 2, -1) if extent % n == 0), 1)
    return tuple(k for each in levels for k in (_in_even_parts(each, even) if even > 1 else _in_uneven_parts(each, wanted)))


def _in_even_parts(spec: Scan, parts: int) -> tuple[KernelSpec, ...]:
    return split_recurrences(spec, parts) if is_split_by_maps(spec) else split_scan(spec, parts)


def _in_uneven_parts(spec: Scan, parts: int) -> tuple[KernelSpec, ...]:
    """And what is left behind them."""
    split_any = split_open_recurrences if is_split_by_maps(spec) else split_open_scan
    return split_any(spec, parts, WHOLE_BYTES)


def split_long_select(spec: Select) -> tuple[Select, ...]:
    """A Select whose rows a block sorts at once; or several, where rows are longer, or may be. Of a row that may be longer than
    a tile, and is not of runs, a block sorts one tile after another. A row whose keys are counted stays."""
    if keys_of(spec) is not None:
        return (spec,)
    return tuple(map(with_workspace, split_select(spec, TILE) if may_be_cut(spec) else (spec,)))


def _parts(spec: Reduce, device: Device) -> int:
    """How many make every core busy, and leave each enough to do where it is known how much there is."""
    rows = max(1, typical(size(spec.rows)))  # what is typical of open dims may leave none
    columns = static(size(spec.cols))
    are_alone = lanes_want_rows(spec, spec.rows, spec.cols)
    wanted = device.cores * BLOCKS_A_CORE * (THREADS if are_alone else 1) // rows
    if columns is None:
        return wanted
    if are_alone and rows * columns <= FEW_ELEMENTS and rows >= device.cores:
        return 1
    more = min(wanted * rows_side_by_side(spec), columns // LEAST_SIDE_BY_SIDE) if are_alone else 0
    return max(min(wanted, columns // _least(spec)), more)


def _least(spec: Reduce) -> int:
    """Columns that are worth a part."""
    return LEAST_A_THREAD if lanes_want_rows(spec, spec.rows, spec.cols) else LEAST
