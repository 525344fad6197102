"""Which schedules a product of few rows may have, best first, and what each moves and issues, in closed form."""

from __future__ import annotations

from collections.abc import Iterator

from uol.backends.simt.c_text.types import COMPUTE, COMPUTE_BYTES
from uol.backends.simt.machine.fitting import fitting
from uol.backends.simt.machine.fragments import MatrixUnit
from uol.backends.simt.machine.limits import SECTOR_BYTES
from uol.backends.simt.machine.target import Machine
from uol.backends.simt.products.few_rows.operands import Facts, blocks_of
from uol.backends.simt.products.few_rows.schedule import Few, FewRows, FewRowsByUnits
from uol.backends.simt.products.few_rows.unit_choice import check_units, unit_counts, unit_for, unit_schedules
from uol.codegen.backend import Device, Footprint, Refusal
from uol.codegen.cost import time_of
from uol.codegen.indexing.arithmetic import size
from uol.codegen.specs.drop_unit_axes import without_unit_axes
from uol.codegen.specs.nodes import Contract
from uol.codegen.work import Issued, exactly, unit_of
from uol.ir.types import DTYPES

MOST_FEW = 16
"""Rows that are few: as many products are made of each weight, about what vector units do in the time of its bytes."""
MOST_SUMS, MOST_REGISTERS = 64, 112
"""Sums of a thread, and these with the values of the long operand that it has: half of its registers."""
BLOCKS_A_CORE = 2
"""So many are wanted: while one waits, another loads."""
SIDES: tuple[Few, ...] = ("rows", "columns")
THREADS = 128


Schedule = FewRows | FewRowsByUnits


def few_rows_schedules(spec: Contract, device: Device, machine: Machine) -> tuple[Schedule, ...]:
    """Best first: those that give every core blocks enough, by their modelled time."""
    tidy = without_unit_axes(spec)
    sides = [] if tidy.segments is not None or not tidy.k else [(Facts.of(tidy, of), of) for of in SIDES]
    sides = [(facts, of) for facts, of in sides if facts.most is not None and 0 < facts.most <= MOST_FEW]
    if not sides:
        return ()
    facts, of = min(sides, key=lambda side: side[0].most or 0)
    unit = unit_for(facts, machine)

    def order(schedule: Schedule) -> tuple[bool, float, float]:
        counts = _counts(facts, schedule, unit, machine, device)
        time = time_of(counts, device)
        return counts.blocks < BLOCKS_A_CORE * device.cores, time.seconds, sum(time.parts.values())

    own = (schedule for schedule in _own(facts, of) if _defect(facts, schedule) is None)
    by_units = () if unit is None else unit_schedules(facts, of, unit)
    return tuple(sorted((*own, *by_units), key=order))


def few_rows_estimate(spec: Contract, schedule: Schedule, machine: Machine, device: Device) -> Issued:
    """What a kernel moves and issues, in closed form."""
    facts = Facts.of(without_unit_axes(spec), schedule.of)
    return _counts(facts, schedule, unit_for(facts, machine), machine, device)


def _counts(facts: Facts, schedule: Schedule, unit: MatrixUnit | None, machine: Machine, device: Device) -> Issued:
    if isinstance(schedule, FewRows):
        return few_rows_counts(facts, schedule, device, machine.lanes)
    assert unit is not None, "the schedule is one on units"
    return unit_counts(facts, schedule, unit, device)


def check_few_rows(spec: Contract, schedule: Schedule, machine: Machine) -> Footprint | Refusal:
    """Shared bytes, threads and grid of a kernel, or why there is none."""
    tidy = without_unit_axes(spec)
    if schedule.of not in SIDES or not tidy.k:
        return Refusal(f"{schedule.of!r} are no side of a product, or it has one term", "a tile of the product")
    facts = Facts.of(tidy, schedule.of)
    if isinstance(schedule, FewRowsByUnits):
        return check_units(tidy, facts, schedule, machine)
    if defect := _defect(facts, schedule):
        return Refusal(defect, "a tile of the product")
    blocks = blocks_of(facts.short, facts.long, schedule.block, size(tidy.batch))
    shared = schedule.shape(machine.lanes).elements * COMPUTE_BYTES[COMPUTE[spec.acc_dtype]]
    return fitting(machine, schedule.threads, blocks, shared)


def _own(facts: Facts, of: Few) -> Iterator[FewRows]:
    """Those whose threads multiply."""
    few = facts.most or 0
    return _along_terms(facts, of, few) if facts.along == "terms" else _along_outer(facts, of, few)


def _along_terms(facts: Facts, of: Few, few: int) -> Iterator[FewRows]:
    """Lanes go along the terms, of several columns."""
    widest = facts.long_widths["terms"]
    for width in sorted({widest, min(widest, facts.short_width)} - {1}) or [1]:  # as many as the short operand's accesses have
        needed = max(-(-facts.terms // width), 1)
        for many in (8, 4, 2, 1):
            for shares in (1 << n for n in range(THREADS.bit_length())):
                if many <= facts.columns and shares < 2 * needed:
                    yield FewRows(of, "terms", few, many, width, width, shares, THREADS)


def _along_outer(facts: Facts, of: Few, few: int) -> Iterator[FewRows]:
    """A thread has columns side by side, of several terms."""
    width = facts.long_widths["outer"]
    for many in sorted({max(width, 4), max(width // 2, 4)}):
        each = many if many <= width else 1
        for terms in (8, 4, 2):
            for groups in (1 << n for n in range(6)):
                yield FewRows(of, "outer", few, many, terms, each, THREADS // groups, THREADS)


def _defect(facts: Facts, schedule: FewRows) -> str | None:
    """Why a product, without axes of extent 1, has no kernel with a schedule."""
    numbers = (schedule.few, schedule.many, schedule.terms, schedule.each, schedule.shares, schedule.threads)
    if min(numbers) < 1 or schedule.along not in facts.long_widths:
        return f"{numbers} are no part of a product"
    if facts.most is None or facts.most > schedule.few:
        return f"there may be more than {schedule.few} {schedule.of}"
    if not facts.may_be:
        return "its sums are over segments, in a narrow type, or of terms that do not lie in one order"
    if schedule.threads % schedule.shares or (schedule.along == "terms" and schedule.shares & (schedule.shares - 1)):
        return f"{schedule.shares} threads a sum do not divide {schedule.threads} by a power of two"
    if schedule.each > 1 and (schedule.each != schedule.side_by_side or facts.long_widths[schedule.along] % schedule.each):
        return f"{schedule.each} elements of the long operand do not lie side by side"
    sums, values, words = schedule.few * schedule.many, schedule.terms * schedule.many, _words(facts)
    loaded = values if schedule.along == "terms" else 2 * values  # in accesses, and perhaps one by one
    if sums * words > MOST_SUMS or (sums + loaded) * words > MOST_REGISTERS:
        return f"{sums} sums and {values} values of {4 * words} bytes a thread are more than {MOST_REGISTERS} registers"
    return None


def _words(facts: Facts) -> int:
    """Registers of a sum."""
    return COMPUTE_BYTES[COMPUTE[facts.acc_dtype]] // 4


def few_rows_counts(facts: Facts, schedule: FewRows, device: Device, lanes: int) -> Issued:
    """What a kernel moves and issues: each of its warps loads the terms of the few rows anew."""
    blocks = -(-facts.columns // schedule.block) * facts.batch
    turns = -(-facts.terms // (schedule.terms * schedule.shares))
    products = 2 * turns * schedule.terms * schedule.few * schedule.many * schedule.threads
    shuffles = _shuffles(schedule, lanes) * -(-schedule.threads // lanes)
    return Issued(
        facts.batch * facts.columns * facts.terms * DTYPES[facts.long.dtype].bytes,
        exactly(blocks * (_long_bytes(schedule, facts) + _short_bytes(schedule, facts, lanes))),
        exactly(blocks * schedule.few * schedule.block * facts.result_bytes),
        exactly(8 * _words(facts) * blocks * schedule.shape(lanes).elements),
        operations={unit_of(facts.acc_dtype): exactly(blocks * products)},
        primitives={"shuffle": exactly(blocks * shuffles)},
        blocks=blocks,
        waves=-(-blocks // device.cores),
        resident=_resident(schedule, _words(facts)),
        waits=-(-turns // 4) + 1,
    )


def _shuffles(schedule: FewRows, lanes: int) -> int:
    steps = min(schedule.shares, lanes).bit_length() - 1 if schedule.along == "terms" else 0
    return schedule.few * schedule.many * steps


def _long_bytes(schedule: FewRows, facts: Facts) -> int:
    """Of a block, in sectors: whole runs of terms, or runs of the block's columns for each of them."""
    size_of = DTYPES[facts.long.dtype].bytes
    if schedule.along == "terms":
        return schedule.block * _sectors(facts.terms * size_of)
    return facts.terms * _sectors(schedule.block * size_of)


def _short_bytes(schedule: FewRows, facts: Facts, lanes: int) -> int:
    """Of a block, in sectors: each warp that has other columns loads the terms again."""
    warps = max(schedule.groups * min(schedule.shares, lanes) // lanes, 1) if schedule.along == "terms" else 1
    if facts.short_width < schedule.terms:  # one by one, in a sector each
        return warps * schedule.few * facts.terms * SECTOR_BYTES
    return warps * schedule.few * _sectors(facts.terms * DTYPES[facts.short.dtype].bytes)


def _sectors(number: int) -> int:
    return -(-number // SECTOR_BYTES) * SECTOR_BYTES


def _resident(schedule: FewRows, words: int) -> int:
    """Blocks that a core has at once, by registers: of sums, of the values that meet them, and others."""
    registers = 32 + words * schedule.many * (schedule.few + 2 * schedule.terms)
    return max(1, 65536 // (min(registers, 255) * schedule.threads))
