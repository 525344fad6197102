"""Which schedules on matrix units a product of few rows may have, and what each moves and issues, in closed form."""

from __future__ import annotations

from collections.abc import Iterator

from uol.backends.simt.c_text.types import COMPUTE, COMPUTE_BYTES
from uol.backends.simt.elements.multiples import is_multiple_of
from uol.backends.simt.machine.fitting import fitting
from uol.backends.simt.machine.fragments import MatrixUnit
from uol.backends.simt.machine.limits import WHOLE_BYTES
from uol.backends.simt.machine.target import Machine
from uol.backends.simt.products.few_rows.fragments import Fragments
from uol.backends.simt.products.few_rows.operands import Facts, blocks_of
from uol.backends.simt.products.few_rows.schedule import Few, FewRowsByUnits
from uol.codegen.backend import Device, Footprint, Refusal
from uol.codegen.indexing.arithmetic import size
from uol.codegen.specs.nodes import Contract
from uol.codegen.work import Issued, exactly
from uol.ir.types import DTYPES

LEAST_FEW = 5
"""Rows: of fewer, vector units have time enough for products that flush nothing."""
WARPS, SHARES = (4, 8), (1, 2, 4, 8)
MOST_SUMS = 64


def unit_for(facts: Facts, machine: Machine) -> MatrixUnit | None:
    """The unit whose rows are 16 and whose factors are of 16 bits, as both operands lie in memory; None where there is none."""
    found = {operand.stored_as(facts.acc_dtype) for operand in (facts.short, facts.long)}
    dtype = found.pop()
    if machine.units is None or found or dtype is None or DTYPES[dtype].bytes != 2:
        return None
    units = (unit for unit in machine.units.of(dtype) if unit.accumulator == facts.acc_dtype)
    return next((unit for unit in units if (unit.m, unit.k) == (16, 16)), None)


def unit_schedules(facts: Facts, of: Few, unit: MatrixUnit) -> Iterator[FewRowsByUnits]:
    """Those that a product may have."""
    if facts.most is None or facts.most < LEAST_FEW:
        return
    along = facts.along
    for each in (WHOLE_BYTES // 2,) if along == "terms" else (2, 4, 8):
        for warps in WARPS:
            for shares in (shares for shares in SHARES if shares <= warps):
                schedule = FewRowsByUnits(of, along, -(-facts.most // unit.n), each, shares, warps)
                if unit_defect(facts, schedule, unit) is None:
                    yield schedule


def unit_defect(facts: Facts, schedule: FewRowsByUnits, unit: MatrixUnit) -> str | None:
    """Why a product has no kernel with a schedule."""
    if min(schedule.fragments, schedule.each, schedule.shares, schedule.warps) < 1 or schedule.warps % schedule.shares:
        return f"{schedule.shares} of {schedule.warps} warps a sum"
    most = schedule.fragments * unit.n
    if facts.most is None or facts.most > most or not (facts.may_be and facts.long.outer.axes):
        return f"there may be more than {most} {schedule.of}, or they lie in no one order"
    fragments, long = Fragments(unit, schedule), facts.long
    if schedule.along == "terms":
        fits = schedule.each * 2 == WHOLE_BYTES
    else:
        fits = schedule.each in (2, 4, 8) and is_multiple_of(long.outer.count, schedule.each, long.multiples)
    if not fits or schedule.fragments * fragments.instructions * unit.d.registers > MOST_SUMS:
        return f"a lane does not have {schedule.each} elements in an access, or too many sums"
    if long.dims or not is_multiple_of(long.terms.count, fragments.lane_terms, long.multiples):
        return f"terms are no multiple of {fragments.lane_terms}"
    if facts.long_widths.get(schedule.along, 0) < schedule.each or facts.short_width < fragments.lane_terms:
        return "rows begin at no multiples of an access"
    return None


def check_units(spec: Contract, facts: Facts, schedule: FewRowsByUnits, machine: Machine) -> Footprint | Refusal:
    """Shared bytes, threads and grid of a kernel of a product without axes of extent 1, or why there is none."""
    unit = unit_for(facts, machine)
    if unit is None:
        return Refusal("no matrix unit multiplies these factors as they lie", "a tile of the product")
    if defect := unit_defect(facts, schedule, unit):
        return Refusal(defect, "a tile of the product")
    fragments = Fragments(unit, schedule)
    blocks = blocks_of(facts.short, facts.long, fragments.block, size(spec.batch))
    shared = fragments.shape.elements * COMPUTE_BYTES[COMPUTE[spec.acc_dtype]]
    return fitting(machine, schedule.warps * unit.lanes, blocks, shared)


def unit_counts(facts: Facts, schedule: FewRowsByUnits, unit: MatrixUnit, device: Device) -> Issued:
    """What a kernel moves and issues: each of its warps loads its terms of the few rows anew."""
    fragments = Fragments(unit, schedule)
    blocks = -(-facts.columns // fragments.block) * facts.batch
    turns = -(-facts.terms // (fragments.step * schedule.shares))
    few = schedule.fragments * unit.n
    products = turns * schedule.warps * few * fragments.columns * fragments.step
    element = COMPUTE_BYTES[COMPUTE[facts.acc_dtype]]
    read = 2 * facts.terms * (fragments.block + schedule.groups * min(few, facts.most or few))
    return Issued(
        2 * facts.batch * facts.columns * facts.terms,
        exactly(blocks * read),
        exactly(blocks * few * fragments.block * facts.result_bytes),
        exactly(2 * blocks * fragments.shape.elements * element),
        operations={f"{facts.short.dtype}-matrix": exactly(2 * blocks * products)},
        blocks=blocks,
        waves=-(-blocks // device.cores),
        resident=max(1, 1024 // (schedule.warps * unit.lanes)),
        waits=-(-turns // 4) + 1,
    )
