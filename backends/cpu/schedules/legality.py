"""Which values the fields of a CPU schedule may have: a user's own schedule is asked before anything is generated."""

from __future__ import annotations

from collections.abc import Iterable

from uol.backends.cpu.operands.panels import WIDEST_PANEL, slivers_together
from uol.backends.cpu.schedules.kinds import CpuSchedule, Panels, Tiles
from uol.codegen.schedule import field_types, kind_name

WIDEST_LANES = 64
"""Lanes of the widest vector (512 bits) in elements of a byte."""
VECTOR_REGISTERS = 32
"""Of AVX-512 and of SVE; one holds what is broadcast."""
TILE_ROWS = 16
"""Of a tile register; a row is 64 bytes."""
TILE_REGISTERS = 2 * TILE_ROWS, 2
"""Rows and vectors of four tile registers of 16 x 16 sums: two of each operand serve them."""
RANGES = {
    "rows": (1, VECTOR_REGISTERS - 1),
    "vectors": (1, VECTOR_REGISTERS // 2 - 1),
    "columns": (1, VECTOR_REGISTERS // 2),
    "block": (1, 1 << 16),
    "row_tiles": (1, 1 << 16),
    "column_tiles": (1, 1 << 16),
    "col_tasks": (1, 1 << 10),
    "pieces": (1, 1 << 10),
    "parallel": (0, 1 << 6),
}
"""First and last value of the fields that a user may set. The others say what a kernel's spec was prepared for."""
MOST_PANEL_BYTES, MOST_SUMS_BYTES = 3 << 19, 1 << 21
"""Of a thread's stack of 4 MB."""
LANES = ("lanes", "row_lanes")


def defect(schedule: CpuSchedule, candidates: Iterable[CpuSchedule]) -> str | None:
    """Why a kernel with these candidates cannot have the schedule; None where it can."""
    kind: type = type(schedule)
    own = [c for c in candidates if type(c) is kind]
    if not own:
        return f"it has no schedule of the kind {kind_name(kind)}"
    for name in field_types(kind):
        value, known = getattr(schedule, name), [getattr(c, name) for c in own]
        if value in known:
            continue
        if name in LANES and not (0 < value <= WIDEST_LANES and value & (value - 1) == 0):
            return f"{name} is {value}, and no power of two up to {WIDEST_LANES}"
        if name in RANGES and not RANGES[name][0] <= value <= RANGES[name][1]:
            return f"{name} is {value}; it is from {RANGES[name][0]} to {RANGES[name][1]}"
        if name not in LANES and name not in RANGES and not isinstance(value, bool):
            return f"{name} is {value!r}; the kernel is prepared for {', '.join(map(repr, dict.fromkeys(known)))}"
    if isinstance(schedule, Panels) and (reason := _panels_defect(schedule, own)) is not None:
        return reason
    if isinstance(schedule, Tiles | Panels) and not _fits_registers(schedule):
        return f"{schedule.rows} x {schedule.vectors} accumulators and a row of b are more than {VECTOR_REGISTERS} registers"
    return None


def _panels_defect(schedule: Panels, own: list[CpuSchedule]) -> str | None:
    if schedule.vectors * schedule.lanes > WIDEST_PANEL:
        return f"panels of {schedule.vectors * schedule.lanes} columns are wider than {WIDEST_PANEL}"
    if (held := _panel_bytes(schedule)) > MOST_PANEL_BYTES:
        return f"panels of {held} bytes are more than the {MOST_PANEL_BYTES} that a thread's stack has for them"
    if (held := _sums_bytes(schedule)) > MOST_SUMS_BYTES:
        return f"sums of {held} bytes are more than the {MOST_SUMS_BYTES} that a thread's stack has for them"
    if schedule.near and (schedule.slivers or schedule.unit):
        return "near is true: panels that are copied where their tiles begin have neither slivers nor words"
    if schedule.unit and schedule.lanes not in {c.lanes for c in own if isinstance(c, Panels)}:
        return f"lanes is {schedule.lanes}, which the processor has no instruction for"
    return _tile_registers_defect(schedule) if schedule.unit == "tiles" else None


def _tile_registers_defect(schedule: Panels) -> str | None:
    rows, vectors = TILE_REGISTERS
    if schedule.rows > rows or schedule.vectors > vectors:
        return f"{schedule.rows} x {schedule.vectors} vectors of sums are more than tile registers hold: {rows} x {vectors}"
    return f"rows is {schedule.rows}; a tile register has {TILE_ROWS}" if schedule.rows % TILE_ROWS else None


def _fits_registers(schedule: Tiles | Panels) -> bool:
    if isinstance(schedule, Panels) and schedule.unit == "tiles":
        return True
    return schedule.rows * schedule.vectors + schedule.vectors < VECTOR_REGISTERS


def _panel_bytes(schedule: Panels) -> int:
    """What the panels of a task and its slivers take, in the widest type."""
    together = 1 if schedule.unit else slivers_together(schedule.rows)
    sliver = together * schedule.rows if schedule.slivers or schedule.unit else 0  # of words some rows may be copied always
    return 8 * schedule.depth // schedule.word * (schedule.column_tiles * schedule.vectors * schedule.lanes + sliver)


def _sums_bytes(schedule: Panels) -> int:
    """What the sums of a task take, in the widest type."""
    return 8 * schedule.rows * schedule.row_tiles * schedule.column_tiles * schedule.vectors * schedule.lanes
