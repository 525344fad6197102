"""Reduce: folds over the cols of every row. Two ways to feed the lanes:

    along cols   the innermost col is contiguous: lanes hold partial results of one row, which a tree joins
    along rows   the innermost row is contiguous (channels-last): each lane is a row of its own

Rows are the parallel tasks; where there are fewer rows than cores, the cols of a row are cut into tasks instead.
"""

from __future__ import annotations

from uol.backends.cpu.collapse_axes import collapsed
from uol.backends.cpu.expressions.dtypes import Term, representation
from uol.backends.cpu.expressions.folds import is_positional
from uol.backends.cpu.host import Host
from uol.backends.cpu.operands.interiors import interior_of
from uol.backends.cpu.operands.row_reads import rows_read
from uol.backends.cpu.operands.strided_reads import LONGEST_STEP
from uol.backends.cpu.operands.typical import typical_size
from uol.backends.cpu.schedules.cost import CHAINS, MANY_COLS, PARALLEL_FROM, cost, parallel_prefix, size, steps_cost
from uol.backends.cpu.schedules.kinds import Reduction
from uol.codegen.indexing.affine import coefficient
from uol.codegen.indexing.arithmetic import static
from uol.codegen.specs.nodes import KernelSpec, Let, Read, Reduce, Store, guard_operands
from uol.codegen.specs.steps import passes_of
from uol.codegen.specs.traverse import accesses
from uol.ir.program.nodes import Axis
from uol.ir.program.walk import variables, walk
from uol.ir.types import DTYPES

VECTORS = 4
"""Independent vectors of partial results, to cover the latency of an addition."""
MOST_VECTORS = 8
"""Vectors of partial results of all folds of a pass: half of the registers."""
MOST_STATES = 2048
"""Of a block that goes over many cols, of 8 bytes at most: half of a first-level cache."""
TASKS_PER_CORE = 8
LONG_RUN = 64
"""Elements in the vectors that a pass over a row takes at a time."""
SCATTERED_COST = 40
"""Units of a read at a place that is itself read, mostly of a cache line that is not near: several are under way at a time."""
WIDEST_WINDOW = 16
"""Cols along the innermost axis of a window that is better fed by rows. A longer one fills lanes itself."""


def candidates(spec: Reduce, host: Host) -> tuple[Reduction, ...]:
    """The way that reads memory contiguously."""
    rows, cols = size(spec.rows), size(spec.cols)
    work = None if rows is None or cols is None else rows * cols * (steps_cost(spec.steps) + SCATTERED_COST * _scattered(spec))
    worthwhile = host.cores > 1 and (work is None or work >= PARALLEL_FROM)
    if _along_rows(spec) and not spec.columns:
        return (_along_rows_schedule(spec, host, worthwhile),)
    lanes = col_lanes(spec, host)
    few = rows is not None and rows < host.cores
    if worthwhile and few and lanes > 1 and not spec.columns:
        tasks = min(2 * host.cores, max(1, (cols or 1) // (4 * lanes)))
        return (Reduction("cols", lanes, 0, tasks),)
    parallel = parallel_prefix(spec.rows, TASKS_PER_CORE * host.cores) if worthwhile and spec.rows else 0
    parallel = min(parallel, 1) if spec.columns else parallel  # their rows follow one another
    kept = _kept(spec, host.caches.block_bytes)
    return (Reduction("cols", lanes, parallel, 1, kept, ahead=lanes > 1 and _comes_from_memory(spec, host)),)


def _comes_from_memory(spec: Reduce, host: Host) -> bool:
    """Are rows gone over more than once, each of which stays in the first-level cache, and which all do not fit the second?
    Memory would have nothing to do but in the first of their passes."""
    if size(spec.axes) is None or len(passes_of(spec).passes) < 2:
        return False
    of_an_element = sum(DTYPES[read.dtype].bytes for read in rows_read(spec))
    row, rows = (typical_size(spec, axes) * of_an_element for axes in (spec.cols, spec.axes))
    return 0 < row <= host.caches.sliver_bytes and rows > host.caches.second


def _scattered(spec: Reduce) -> int:
    """How many reads follow one another at places that are no multiple of the innermost col."""
    return sum(coefficient(a.offset, spec.cols[-1].name) is None for a in accesses(spec)) if spec.cols else 0


def _along_rows_schedule(spec: Reduce, host: Host, worthwhile: bool) -> Reduction:
    """As many lanes as leave registers for all folds of a pass, and every core a block of rows."""
    extent = interior_of(spec).length or host.lanes
    outer = max(typical_size(spec, spec.rows[:-1]), 1)
    arrays = max((sum(2 if is_positional(f) else 1 for f in run.folds) for run in passes_of(spec).passes), default=1)

    def is_too_wide(lanes: int) -> bool:
        is_short_of_blocks = worthwhile and outer * -(-extent // lanes) < 2 * host.cores
        return arrays * lanes > MOST_VECTORS * host.lanes or lanes > extent or is_short_of_blocks

    lanes = VECTORS * host.lanes
    while lanes > host.lanes and is_too_wide(lanes):
        lanes //= 2
    lanes = min(lanes, max(extent, 1))
    blocks = -(-host.cores // outer) if worthwhile else 1
    vectors = max(1, min(-(-extent // (lanes * blocks)), MOST_STATES // (arrays * lanes))) if _is_long_walk(spec) else 1
    return Reduction("rows", lanes, len(spec.rows) if worthwhile else 0, vectors=vectors)


def _is_long_walk(spec: Reduce) -> bool:
    """Is a block of rows one walk over many cols, each of which may lie in another page of memory? The wider the blocks then,
    the fewer such walks."""
    is_many = typical_size(spec, spec.cols) >= MANY_COLS and len(passes_of(spec).passes) == 1
    return is_many and all(coefficient(access.offset, spec.rows[-1].name) in (0, 1) for access in accesses(spec))


def _along_rows(spec: Reduce) -> bool:
    """Is more memory read contiguously along the innermost row than along the innermost col?"""
    if not spec.rows or (static(spec.rows[-1].extent) or 0) < 2:
        return False
    inner_row, inner_col = spec.rows[-1].name, spec.cols[-1].name if spec.cols else ""
    if spec.cols and _slides(spec, spec.rows[-1], spec.cols[-1]):
        return True
    votes = 0
    for access in accesses(spec):
        if isinstance(access, Read):
            elements = typical_size(spec, tuple(a for a in spec.axes if a.name in variables(access.offset)))
            votes += elements * (coefficient(access.offset, inner_row) == 1)
            votes -= elements * (coefficient(access.offset, inner_col) == 1)
    return votes > 0 or (votes == 0 and _short_cols(spec) and _stores_rows(spec, inner_row))


def _slides(spec: Reduce, inner_row: Axis, inner_col: Axis) -> bool:
    """Is it a window along the innermost row, whose steps are short? Then a few rows' windows share their cache lines."""
    width = static(inner_col.extent)
    if width is None or width > min(WIDEST_WINDOW, static(inner_row.extent) or 0):
        return False
    steps = [coefficient(access.offset, inner_row.name) for access in accesses(spec)]
    return all(step is not None and 0 <= step <= LONGEST_STEP for step in steps)


def _short_cols(spec: Reduce) -> bool:
    return typical_size(spec, spec.cols) < 16


def _stores_rows(spec: Reduce, inner_row: str) -> bool:
    return any(isinstance(s, Store) and coefficient(s.offset, inner_row) == 1 for s in spec.steps)


def col_lanes(spec: Reduce, host: Host) -> int:
    """Four vectors where the innermost col fills them twice, else what it fills."""
    extent = typical_size(spec, spec.cols[-1:])
    lanes = VECTORS * host.lanes
    while lanes > 1 and extent < (2 * lanes if lanes > host.lanes else lanes):
        lanes //= 2
    return min(lanes, CHAINS) if _asks_data(spec) else lanes


def reads_long_runs(spec: KernelSpec) -> bool:
    """Are the elements along the innermost col neighbours in every buffer (or one for all), and fill vectors?"""
    spec = collapsed(spec)
    if not isinstance(spec, Reduce) or not spec.cols or typical_size(spec, spec.cols[-1:]) < LONG_RUN:
        return False
    return all(coefficient(access.offset, spec.cols[-1].name) in (0, 1) for access in accesses(spec))


def _asks_data(spec: Reduce) -> bool:
    """Has a read of each col a condition that other reads decide? Then no vector is read, but an element where it is there."""
    cols = {axis.name for axis in spec.cols}
    operands = (operand for a in accesses(spec) if isinstance(a, Read) for operand in guard_operands(a.guard))
    return any(isinstance(e, Read) for operand in operands if variables(operand) & cols for e in walk(operand))


def _kept(spec: Reduce, room: int) -> tuple[str, ...]:
    """Dear element values that several passes need, as far as they fit into so many bytes of a thread's stack."""
    passes = passes_of(spec).passes
    count = typical_size(spec, spec.cols)
    names: list[str] = []
    for let in (s for s in spec.steps if isinstance(s, Let)):
        uses = sum(let in run.steps for run in passes)
        bytes_needed = count * (8 if "64" in representation(let.dtype).compute else 4)
        if uses > 1 and cost(let.value) >= 8 and let.dtype != "bool" and bytes_needed <= room:
            names.append(let.name)
            room -= bytes_needed
    return tuple(names)


def scheduled(spec: Reduce, schedule: Reduction) -> Term:
    """The kernel as a PrimFunc."""
    from uol.backends.cpu.schedules.along_cols import along_cols
    from uol.backends.cpu.schedules.along_rows import along_rows

    return along_rows(spec, schedule) if schedule.along == "rows" else along_cols(spec, schedule)
