"""How rows go over threads: a row a thread, several a block, or a block a row."""

from __future__ import annotations

from math import gcd

from uol.backends.simt.c_text.counters import Counter, typical
from uol.backends.simt.operand import smallest_stride
from uol.backends.simt.rows.kept_reads import MOST_COLUMNS
from uol.backends.simt.schedules import THREADS, BlockPerRow, RowSchedule, ThreadPerRow
from uol.backends.simt.vectors import width_along
from uol.codegen.backend import Device
from uol.codegen.indexing.arithmetic import ZERO, size, static
from uol.codegen.specs.drop_unit_axes import without_unit_axes
from uol.codegen.specs.nodes import KernelSpec, Reduce, Scan
from uol.codegen.specs.sizes import known_bound
from uol.codegen.specs.steps import passes_of
from uol.codegen.specs.traverse import expressions, reads
from uol.ir.program.nodes import Axis, Expr

Axes = tuple[Axis, ...]

MOST_THREADS = 1024
"""The largest block of the machines that there are."""


def row_schedules(spec: Reduce | Scan, device: Device, lanes: int) -> tuple[RowSchedule, ...]:
    """A thread a row where rows lie side by side and are many, or are short and overlap; else threads share them."""
    rows, along = spec.rows, spec.cols if isinstance(spec, Reduce) else (spec.along,)
    columns = static(size(along))
    known = columns if columns is not None else known_bound(spec.where, size(along))
    shared, alone = _shared(spec, size(rows), known, device, lanes), ThreadPerRow(THREADS)
    if columns is None:
        return (alone, shared) if lanes_want_rows(spec, rows, along) else (shared, alone)
    short = columns == 1 or (columns < lanes and not (isinstance(spec, Reduce) and _lie_together(spec)))
    many = typical(size(rows)) >= device.cores * THREADS // 4
    return (alone, shared) if short or (many and lanes_want_rows(spec, rows, along)) else (shared, alone)


def lanes_want_rows(spec: KernelSpec, rows: Axes, along: Axes) -> bool:
    """Do most reads of the columns step less along the rows than along the columns?"""
    steps = [(smallest_stride(read, rows), smallest_stride(read, along)) for e in expressions(spec) for read in reads(e)]
    return sum(1 if by_row < by_column else -1 for by_row, by_column in steps if by_column < float("inf")) > 0


def columns_side_by_side(spec: Reduce) -> int:
    """Columns that one access may have."""
    tidy = without_unit_axes(spec)
    return width_along(tidy, tidy.cols[-1]) if tidy.cols else 1


def lanes_of_rows(rows: Expr, wanted: int, warp: int) -> int:
    """Lanes for a row, `wanted` or more, so that the rows of a warp are all there or none is: what lies beyond the last row
    leaves by whole warps, as exchanges between lanes ask for."""
    known = static(rows)
    return warp if known is None else max(wanted, warp // gcd(known, warp))


def _shared(spec: Reduce | Scan, rows: Expr, columns: int | None, device: Device, lanes: int) -> BlockPerRow:
    """Rows that a warp holds go several to a block, where they are many or shorter than a warp; any other is a block's, as wide
    as the row."""
    each = columns_side_by_side(spec) if isinstance(spec, Reduce) else 1
    if columns is None:
        return BlockPerRow(THREADS, 1, each)
    vectors = -(-columns // each)
    if isinstance(spec, Reduce) and 0 < columns <= lanes * MOST_COLUMNS:
        of_row = lanes_of_rows(rows, min(_power_of_two(vectors), lanes), lanes)
        threads = THREADS
        while threads > lanes and typical(rows) < device.cores * (threads // of_row):
            threads //= 2
        if threads > of_row and (vectors < lanes or typical(rows) >= device.cores * (threads // of_row)):
            return BlockPerRow(threads, threads // of_row, each)
    threads = min(THREADS, max(_power_of_two(vectors), lanes))
    if isinstance(spec, Reduce) and len(passes_of(spec).passes) > 1:
        enough = max(threads, _power_of_two(-(-columns // MOST_COLUMNS)))
        threads = enough if enough <= MOST_THREADS else threads
    return BlockPerRow(threads, 1, each)


def _lie_together(spec: Reduce) -> bool:
    """Is every row a piece of memory of its own, as windows that overlap are not?"""
    if not spec.cols:
        return False
    columns, names = Counter.over(spec.cols, "$col"), {axis.name for axis in spec.cols}
    found = [read for expr in expressions(spec) for read in reads(expr)]
    varying = [read for read in found if any(stride != ZERO for name, stride in read.strides if name in names)]
    lengths = [typical(columns.count) * smallest_stride(read, spec.cols) for read in varying if columns.step(read) is not None]
    ends = [smallest_stride(read, spec.rows) for read in varying]
    return len(lengths) == len(varying) and all(length <= end for length, end in zip(lengths, ends, strict=True))


def _power_of_two(number: int) -> int:
    return 1 << max(number - 1, 0).bit_length()
