"""How rows go over threads: a row a thread, several a block, or a block a row."""

from __future__ import annotations

from collections.abc import Sequence
from math import gcd

from uol.backends.simt.c_text.counters import Counter, typical
from uol.backends.simt.elements.spans import Group, may_be_picked
from uol.backends.simt.elements.strides import smallest_stride
from uol.backends.simt.elements.vectors import is_window, stride_along, width_along
from uol.backends.simt.elements.wide_axes import elements_side_by_side
from uol.backends.simt.machine.limits import THREADS, WHOLE_BYTES
from uol.backends.simt.rows.kept_reads import MOST_COLUMNS, MOST_THREADS, most_columns
from uol.backends.simt.rows.schedule import BlockPerRow, RowSchedule, ThreadPerRow
from uol.backends.simt.rows.staging import staged_bytes
from uol.codegen.backend import Device
from uol.codegen.indexing.arithmetic import ONE, ZERO, size, static
from uol.codegen.specs.drop_unit_axes import without_unit_axes
from uol.codegen.specs.ends import until_end
from uol.codegen.specs.nodes import Fold, KernelSpec, Let, Read, Reduce, Scan, Store
from uol.codegen.specs.runs import run_of
from uol.codegen.specs.scan_ends import may_evaluate_all
from uol.codegen.specs.sizes import known_bound
from uol.codegen.specs.steps import passes_of
from uol.codegen.specs.traverse import accesses, expressions, reads
from uol.ir.program.nodes import Axis, Expr
from uol.ir.program.walk import variables

Axes = tuple[Axis, ...]
FEW_COLUMNS = 4
"""That one thread takes of a row where the number of rows is an argument: a warp for each would leave most lanes idle."""
LONGEST_WINDOW = 16
"""Columns of which a thread takes all at once."""
WIDTHS = (16, 8, 4, 2)
"""Rows that a thread may have side by side."""


def row_schedules(spec: Reduce | Scan, device: Device, lanes: int) -> tuple[RowSchedule, ...]:
    """A thread a row where rows lie side by side and are many, or are short and overlap, or are shorter than a thread has rows
    side by side; else threads share them."""
    rows, along = spec.rows, spec.cols if isinstance(spec, Reduce) else (spec.along,)
    columns = static(size(along))
    known = columns if columns is not None else known_bound(spec.where, size(along))
    shared, alone = _shared(spec, size(rows), known, device, lanes), _alone(spec, device, lanes)
    if isinstance(spec, Reduce) and run_of(spec):
        return (alone, shared) if _picks_pieces_of_rows(spec) else (shared, alone)
    if columns is None:
        return (alone, shared) if are_short(spec, lanes) or lanes_want_rows(spec, rows, along) else (shared, alone)
    many = typical(size(rows)) >= device.cores * THREADS // 4
    is_alone = are_short(spec, lanes) or (many and lanes_want_rows(spec, rows, along))
    return (alone, shared) if is_alone else (shared, alone)


def are_short(spec: Reduce | Scan, lanes: int) -> bool:
    """Are rows so short that each is one thread's: of one column, of fewer than a warp has lanes where they overlap, of fewer
    than a thread has rows side by side, or of few where any number of them would have a warp each?"""
    along = size(spec.cols if isinstance(spec, Reduce) else (spec.along,))
    columns = static(along)
    if columns is None:
        return typical(along, spec.where) <= FEW_COLUMNS  # as many as sizes go into others, and one
    if columns == 1 or columns >= lanes:
        return columns == 1
    if columns <= FEW_COLUMNS and static(size(spec.rows)) is None:
        return True
    return not (isinstance(spec, Reduce) and _lie_together(spec) and columns >= rows_side_by_side(spec))


def lanes_want_rows(spec: KernelSpec, rows: Axes, along: Axes) -> bool:
    """Does most of what is read of the columns step less along the rows than along the columns?"""
    found = 0
    for read in (each for expr in expressions(spec) for each in reads(expr)):
        by_row, by_column = smallest_stride(read, rows), smallest_stride(read, along)
        if by_column < float("inf"):
            elements = typical(size(a for a in (*rows, *along) if a.name in variables(read.offset)), spec.where)
            found += elements if by_row < by_column else -elements
    return found > 0


def _picks_pieces_of_rows(spec: Reduce) -> bool:
    """Do columns say where a piece of memory begins that rows lie along?"""
    (along,) = spec.cols
    varying = [read for expr in expressions(spec) for read in reads(expr) if along.name in variables(read.offset)]
    picked = [read for read in varying if read.stride(along.name) is None]
    return bool(spec.rows) and any(stride_along(read, spec.rows[-1]) == ONE for read in picked)


def columns_side_by_side(spec: Reduce | Scan) -> int:
    """Columns, or positions of a scan, that one access may have."""
    if isinstance(spec, Reduce):
        return 1 if run_of(spec) else elements_side_by_side(spec)
    tidy = without_unit_axes(spec)
    return width_along(tidy, tidy.along) if may_evaluate_all(tidy) else 1  # a thread has the last position beside others


def rows_side_by_side(spec: Reduce | Scan) -> int:
    """Rows that one access may have: of one pass, before which nothing of them is stored, and after which all is known; and
    whose columns end together."""
    tidy = without_unit_axes(spec)
    if isinstance(tidy, Scan) or not tidy.rows:
        return 1
    bare, end = until_end(tidy)
    if end is not None and tidy.rows[-1].name in variables(end.count):
        return 1
    found = passes_of(bare)
    if len(found.passes) != 1 or not all(isinstance(step, Let) for step in found.before):
        return 1
    if not all(isinstance(step, Fold) and not step.where for step in found.passes[0].elements):
        return 1
    return width_along(tidy, tidy.rows[-1], window_axis(tidy), tidy.cols, near=True)


def window_axis(spec: Reduce) -> Axis | None:
    """The last axis of the columns, where all that is read along it are windows of the last of the rows: they touch, or lie
    near together and are short."""
    if not spec.cols:
        return None
    axis, within = spec.rows[-1], spec.cols[-1]
    varying = [each for each in accesses(spec) if within.name in variables(each.offset)]
    if all(is_window(each, axis, within, 1) for each in varying):
        return within
    if (known := static(within.extent)) is None or known > LONGEST_WINDOW:
        return None
    group = Group.of(spec, axis, 1, within)
    return within if any(_are_near(varying, group.of_width(width)) for width in WIDTHS) else None


def _are_near(varying: Sequence[Read | Store], group: Group) -> bool:
    return all(is_window(a, group.axis, group.unrolled[0], group.width) or may_be_picked(a, group) for a in varying)


def writes_along_columns(spec: KernelSpec) -> bool:
    """Does what is written of columns lie along the last of them?"""
    tidy = without_unit_axes(spec)
    assert isinstance(tidy, Reduce)
    names = {axis.name for axis in tidy.cols}
    stores = [step for step in tidy.steps if isinstance(step, Store) and names & set(step.axes)]
    return all(stride_along(store, tidy.cols[-1]) == ONE for store in stores)


def lanes_of_rows(rows: Expr, wanted: int, warp: int) -> int:
    """Lanes for a row, `wanted` or more, so that the rows of a warp are all there or none is: what lies beyond the last row
    leaves by whole warps, as exchanges between lanes ask for."""
    known = static(rows)
    return warp if known is None else max(wanted, warp // gcd(known, warp))


def _shared(spec: Reduce | Scan, rows: Expr, columns: int | None, device: Device, lanes: int) -> BlockPerRow:
    """Rows that a warp holds go several to a block, where they are many or shorter than a warp; any other is a block's, as wide
    as the row."""
    each = columns_side_by_side(spec)
    if isinstance(spec, Reduce) and run_of(spec):
        return _of_run(rows, lanes)
    if columns is None:
        return BlockPerRow(THREADS, 1, each)
    vectors = -(-columns // each)
    if isinstance(spec, Reduce) and each == 1 and (staged := _staged(spec, columns, device, lanes)):
        return staged
    if isinstance(spec, Reduce) and 0 < columns <= lanes * MOST_COLUMNS:
        of_row = lanes_of_rows(rows, min(_power_of_two(vectors), lanes), lanes)
        threads = THREADS
        while threads > lanes and typical(rows) < device.cores * (threads // of_row):
            threads //= 2
        if threads > of_row and (vectors < lanes or typical(rows) >= device.cores * (threads // of_row)):
            return BlockPerRow(threads, threads // of_row, each)
    threads = min(THREADS, max(_power_of_two(vectors), lanes))
    if isinstance(spec, Reduce) and len(passes_of(spec).passes) > 1:
        enough = min(MOST_THREADS, max(threads, _power_of_two(-(-columns // MOST_COLUMNS))))
        threads = enough if columns <= enough * most_columns(enough) else threads
    return BlockPerRow(threads, 1, each)


def _of_run(rows: Expr, lanes: int) -> BlockPerRow:
    """A warp for every run, which may be short; a block has several where they are many."""
    threads = THREADS if static(rows) is None or (static(rows) or 0) * lanes >= THREADS else lanes
    return BlockPerRow(threads, threads // lanes)


LEAST_STAGED = 16
"""Columns of a row that comes to shared memory first: for each of the fewest lanes some."""
LEAST_STAGED_BYTES, MOST_STAGED_BYTES = THREADS * WHOLE_BYTES, 1 << 14
"""Of such rows in a block: each thread loads some, and several blocks fit a core."""


ROWS_STAGED = 64
"""The most of them in a block."""


def _staged(spec: Reduce, columns: int, device: Device, lanes: int) -> BlockPerRow | None:
    """Many rows that lie one behind the other, and none of them where accesses of 16 bytes may begin: pieces of them."""
    rows = ROWS_STAGED
    while rows >= THREADS // lanes and columns >= LEAST_STAGED:
        staged = staged_bytes(spec, rows)
        is_fit = staged is not None and LEAST_STAGED_BYTES <= staged <= MOST_STAGED_BYTES
        if is_fit and typical(size(spec.rows)) // rows >= device.cores:
            return BlockPerRow(THREADS, rows, 1, True)
        rows //= 2
    return None


LONG_ALONE = 32
"""Columns that a thread goes over, from which it matters that every core has some of the threads."""


def _alone(spec: Reduce | Scan, device: Device, lanes: int) -> ThreadPerRow:
    """A thread a row; several, where that leaves enough threads. Where these go over many columns, blocks are as small as it
    takes for every core to have one."""
    each, rows = rows_side_by_side(spec), typical(size(spec.rows))
    while each > 1 and rows // each < device.cores * THREADS // 4:
        each //= 2
    threads = THREADS
    if isinstance(spec, Reduce) and (static(size(spec.cols)) or LONG_ALONE) >= LONG_ALONE:
        while threads > lanes and rows // each < device.cores * threads:
            threads //= 2
    return ThreadPerRow(threads, each)


def _lie_together(spec: Reduce) -> bool:
    """Is every row a piece of memory of its own, as windows that overlap are not?"""
    if not spec.cols:
        return False
    columns, names = Counter.over(spec.cols, "$col"), {axis.name for axis in spec.cols}
    found = [read for expr in expressions(spec) for read in reads(expr)]
    varying = [read for read in found if any(stride != ZERO for name, stride in read.strides if name in names)]
    lengths = [typical(columns.count) * smallest_stride(read, spec.cols) for read in varying if columns.step(read) is not None]
    ends = [0 if _begins_between(read, spec.rows) else smallest_stride(read, spec.rows) for read in varying]
    return len(lengths) == len(varying) and all(length <= end for length, end in zip(lengths, ends, strict=True))


def _begins_between(read: Read, rows: Axes) -> bool:
    """Is where a row begins a quotient, as of windows of another number than elements? What data says is not."""
    return any(read.stride(axis.name) is None for axis in rows) and not any(reads(read.offset))


def _power_of_two(number: int) -> int:
    return 1 << max(number - 1, 0).bit_length()
