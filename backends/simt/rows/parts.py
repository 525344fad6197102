"""Parts of the sizes of kernels over rows.

    rows      what shared memory takes of several, what lanes of a warp hold, what threads of a block hold, and any; each side
              by side, fewer so, and one by one
    columns   rows of them side by side, where they are a multiple of them, and one by one
    scans     rows that half a block holds, and any; each side by side, and one by one
    orders    rows of tiles of one size after another, and any
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from itertools import islice

from uol.backends.simt.c_text.counters import smallest
from uol.backends.simt.elements.parts import by_multiples, by_width, lines
from uol.backends.simt.elements.wide_axes import elements_side_by_side, last_axes, with_last_axes_joined
from uol.backends.simt.kernel.parts import ALL, Part, is_open, up_to
from uol.backends.simt.machine.limits import THREADS
from uol.backends.simt.machine.target import Machine
from uol.backends.simt.rows.kept_reads import MOST_COLUMNS, MOST_THREADS, columns_kept, most_columns
from uol.backends.simt.rows.row_schedules import (
    ROWS_STAGED,
    are_short,
    columns_side_by_side,
    lanes_want_rows,
    rows_side_by_side,
)
from uol.backends.simt.rows.staging import staged_bytes
from uol.codegen.indexing.arithmetic import ONE, size, static
from uol.codegen.specs.ends import until_end
from uol.codegen.specs.nodes import Reduce, Scan, Select
from uol.codegen.specs.sizes import known_bound
from uol.codegen.specs.steps import passes_of
from uol.ir.integers.terms import compare
from uol.ir.program.nodes import Const, Expr, Var
from uol.ir.program.walk import variables

STEPS = (256, 512, 1024, 2048)
"""Elements of a row that are put in order in shared memory, and in as many threads as a quarter of them."""
STAGED = (32, 64, 256)
"""Columns of rows that may come to shared memory first: a block has more of them, the shorter they are. The shortest come there
rather than by pairs."""


def parts_of_orders(spec: Select, machine: Machine) -> Iterator[Part]:
    """By the length of rows; of runs that are merged none."""
    if static(spec.col.extent) is not None or spec.run:
        return
    steps = STEPS[bisect_left(STEPS, smallest(spec.col.extent, spec.where)) :]
    most = known_bound(spec.where, spec.col.extent)
    parts = up_to({f"up_to_{each}": each for each in steps}, spec.col.extent)
    yield from islice(parts, None if most is None else bisect_left(steps, most) + 1)


def parts_of_scans(spec: Scan, machine: Machine) -> Iterator[Part]:
    """By the length of rows where it is an argument alone, and by the width of an access."""
    width_of = partial(_scan_width, lanes=machine.lanes)
    wants_rows = lanes_want_rows(spec, spec.rows, (spec.along,))
    extent = (spec.rows[-1] if wants_rows else spec.along).extent
    bounds = {}
    if isinstance(spec.along.extent, Var) and not wants_rows:
        bounds = {"short": THREADS // 2 * width_of(by_multiples(spec, (extent,)))}
    for part in up_to(bounds, spec.along.extent):
        yield from by_width(part, spec, (extent,), width_of)


def _scan_width(spec: Scan, lanes: int) -> int:
    return 1 if lanes_want_rows(spec, spec.rows, (spec.along,)) else columns_side_by_side(spec)


def parts_of_folds(spec: Reduce, machine: Machine) -> Iterator[Part]:
    """By the length of rows, where a thread has not a row each, and by the width of an access."""
    lanes = machine.lanes
    if spec.cols and not _are_one_thread_s(spec, lanes):
        parts = _by_length(spec, lanes)
    elif spec.rows:
        parts = iter([ALL])
    else:
        return
    for part in parts:
        yield from by_width(part, spec, _lengths(spec, lanes), partial(_width, lanes=lanes), _least(spec, part))


def _by_length(spec: Reduce, lanes: int) -> Iterator[Part]:
    """Rows that half of a warp's lanes hold, or all, longer ones that threads of a block do where columns are read more than
    once, and any. Parts of long rows are not short."""
    if not is_open(spec.cols) or until_end(spec)[1]:
        return iter([ALL])
    are_kept, are_many = len(passes_of(spec).passes) > 1, size(spec.rows) != ONE
    threads = (THREADS // 4,) * (are_kept or are_many) + (THREADS, MOST_THREADS) * are_kept
    longer = [of_block * each for of_block in threads for each in sorted({MOST_COLUMNS, most_columns(of_block)})]
    bounds: dict[str, int] = {}
    if are_many:  # of which a block has several, of the shortest twice as many
        if _may_be_staged(spec):
            bounds |= {f"up_to_{most}": most for most in STAGED}
        if isinstance(size(spec.cols), Var):
            width = _width(by_multiples(spec, (size(spec.cols),)), lanes)
            if lanes // 2 * width > max(bounds.values(), default=0):
                bounds["shortest"] = lanes // 2 * width
        bounds["short"] = lanes * MOST_COLUMNS
    if are_kept:
        longer = sorted({*longer, *(most for of_block in threads for most in columns_kept(spec, of_block))})
    bounds |= {f"up_to_{most}": most for most in longer if most > lanes * MOST_COLUMNS}
    return up_to(bounds, size(spec.cols))


def _least(spec: Reduce, part: Part) -> int:
    """Elements of an access of rows whose ends lie within sectors; short ones may come to shared memory first."""
    most = known_bound(part.where, size(spec.cols))
    return 4 if most is not None and most <= STAGED[1] and _may_be_staged(spec) else 2


def _may_be_staged(spec: Reduce) -> bool:
    """May rows come to shared memory first, if they are short?"""
    is_short = compare("<=", size(spec.cols), Const(STAGED[0]))
    return staged_bytes(replace(spec, where=(*spec.where, is_short)), ROWS_STAGED) is not None


def _lengths(spec: Reduce, lanes: int) -> tuple[Expr, ...]:
    if _are_one_thread_s(spec, lanes):
        return (spec.rows[-1].extent,)
    _, end = until_end(spec)
    if end is not None and end.axis == spec.cols[-1]:
        return (spec.cols[-1].extent, end.extent) if variables(end.extent) <= {*spec.dims} else ()
    return (last_axes(with_last_axes_joined(spec))[-1].extent,)


def _width(spec: Reduce, lanes: int) -> int:
    return rows_side_by_side(spec) if _are_one_thread_s(spec, lanes) else elements_side_by_side(spec)


def _are_one_thread_s(spec: Reduce, lanes: int) -> bool:
    """Does each row go to one thread?"""
    if not spec.rows:
        return False
    extents = (spec.rows[-1].extent, *lines(spec))
    whole = by_multiples(spec, tuple(each for each in extents if static(each) is None))
    return lanes_want_rows(spec, spec.rows, spec.cols) or are_short(whole, lanes)
