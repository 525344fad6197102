"""What a kernel moves and issues, as code generation knows it."""

from __future__ import annotations

from collections.abc import Iterator

from uol.backends.ascendc.candidates import KernelPlan
from uol.backends.ascendc.devices import VECTOR_CORES_PER_CUBE_CORE
from uol.backends.ascendc.machine import BLOCK_BYTES, ceil_div
from uol.backends.ascendc.work.cycles import cycles_of
from uol.backends.ascendc.work.tally import Primitive, Tally, tally_of
from uol.codegen.backend import Device
from uol.codegen.work import Issued, compulsory, exactly
from uol.ir.integers.intervals import Interval
from uol.ir.types import DTYPES, is_float

READING = ("gm_ub", "gm_l1")
WRITING = ("ub_gm", "l0c_gm")
SPECIAL = frozenset({"Exp", "Ln", "Sqrt", "Div"})
ARITHMETIC = frozenset({"Add", "Sub", "Mul", "Max", "Min", "Adds", "Muls", "Maxs", "Mins", "Compare", "CompareScalar"})
"""Instructions that are an operation a lane; others move, choose or convert."""
NOTHING = Interval(0, 0)


def issued_by(plan: KernelPlan, device: Device) -> Issued:
    """The counts of a planned kernel."""
    blocks = plan.schedule.blocks
    tally = tally_of(plan.program, blocks, plan.order)
    cores = device.cores * (VECTOR_CORES_PER_CUBE_CORE if plan.core == "aiv" else 1)
    moved = {path: s.total * exactly(BLOCK_BYTES) for path, s in tally.sectors.items()}
    by_scalar = Interval(0, (tally.reads.total * exactly(BLOCK_BYTES)).high)
    return Issued(
        compulsory(plan.spec).memory_bytes,
        sum((moved[p] for p in READING if p in moved), by_scalar),
        sum((moved[p] for p in WRITING if p in moved), NOTHING),
        scratch_bytes=sum((s.total for k, s in tally.amounts.items() if k.path for _ in _sides(k)), NOTHING),
        operations=_operations(tally),
        primitives=_primitives(tally),
        statements=_statements(tally),
        cycles=cycles_of(tally),
        blocks=blocks,
        waves=ceil_div(blocks, cores),
    )


def _statements(tally: Tally) -> dict[str, Interval]:
    """Instructions by pipe; the scalar unit's are its accesses to memory."""
    found = dict(tally.pipes())
    return {**found, "S": found.get("S", NOTHING) + tally.reads.total}


def _sides(kind: Primitive) -> tuple[str, ...]:
    """The on-chip memories that a copy reads or writes."""
    return tuple(side for side in kind.path.split("_") if side != "gm")


def _operations(tally: Tally) -> dict[str, Interval]:
    found: dict[str, Interval] = {}
    for kind, total in tally.amounts.items():
        name, number = _operation_of(kind), total.total
        if name:
            number = number * exactly(2) if kind.pipe == "M" else number
            found[name] = found.get(name, NOTHING) + number
    return found


def _operation_of(kind: Primitive) -> str:
    """The kind of operation of a primitive; empty where it is none."""
    if kind.pipe == "M":
        return f"{kind.dtype}-matrix"
    if kind.name in SPECIAL:
        return "special"
    if kind.name not in ARITHMETIC:
        return ""
    return "f32-vector" if kind.dtype in DTYPES and is_float(kind.dtype) else "integer"


def _primitives(tally: Tally) -> dict[str, Interval]:
    """By name: how often; by name and "_amount": how much; by path and "_bytes"; elements that the scalar unit reads."""
    found: dict[str, Interval] = {}
    for name, number in _named(tally):
        found[name] = found.get(name, NOTHING) + number
    return {name: found[name] for name in sorted(found)}


def _named(tally: Tally) -> Iterator[tuple[str, Interval]]:
    for kind, total in tally.issues.items():
        yield kind.name, total.total
    for kind, total in tally.amounts.items():
        yield f"{kind.name}_amount", total.total
        if kind.path:
            yield f"{kind.path}_bytes", total.total
    for path, total in tally.sectors.items():
        yield f"{path}_sectors", total.total
    for name, total in tally.ordering.items():
        yield name, total.total
    if tally.reads.total != NOTHING:
        yield from ((name, tally.reads.total) for name in ("GetValue", "GetValue_amount"))
