"""What one instruction moves or computes, in the unit of its primitive.

    primitive                      Instr.amount                     amount                     granules
    DataCopyPad, DataCopy, Fixpipe bursts, bytes of each            bytes                      blocks of 32 bytes
    InitConstValue                 blocks                           bytes                      blocks
    LoadData...                    fractals                         bytes                      fractals of 512 bytes
    Mmad                           m, n, k, what k is rounded to    multiply-adds              products of 16 x 16 x 32 bytes
    WholeReduce..., Copy           lanes of a repeat, repeats       lanes                      repeats
    Brcb                           groups of 8 elements             lanes                      repeats
    other vector instructions      lanes                            lanes                      repeats of 256 bytes
    SetValue                       elements                         elements                   elements
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from uol.backends.ascendc.devices import RATES
from uol.backends.ascendc.instructions import Instr
from uol.backends.ascendc.machine import BLOCK_BYTES, BYTES, FRACTAL, FRACTAL_BYTES, REPEAT_BYTES
from uol.backends.ascendc.work.scalars import Numbers, Range, exactly
from uol.backends.ascendc.work.walk import Iterations

REPEATED = frozenset({"Copy", "WholeReduceSum", "WholeReduceMax", "WholeReduceMin"})
WORDS = frozenset({"And", "Or", "Not"})
"""Instructions that see 16 bits, whatever the buffers hold."""
PATHS = {"MTE3": "ub_gm", "FIX": "l0c_gm"}
ONTO = {("MTE2", "UB"): "gm_ub", ("MTE2", "L1"): "gm_l1", ("MTE1", "L0A"): "l1_l0a", ("MTE1", "L0B"): "l1_l0b"}


@dataclass(frozen=True, slots=True)
class Amount:
    """What an instruction does at every iteration. `short`: granules that the bursts of a copy lack for what a burst costs at
    least. `ragged`: 1 where a vector instruction counts lanes whose bytes are no whole repeats."""

    amount: Range
    granules: Range
    short: Range | None = None
    ragged: Range | None = None


def path_of(instr: Instr) -> str:
    """Between which memories an instruction moves data: gm_ub, l1_l0a, ...; "fill" where it writes a constant, empty where it
    is no copy."""
    if instr.name == "InitConstValue":
        return "fill"
    memory = instr.writes[0].buffer.memory if instr.writes else ""
    return PATHS.get(instr.pipe) or ONTO.get((instr.pipe, memory), "")


def least_blocks(instr: Instr) -> float:
    """Blocks of 32 bytes that take as long as the shortest burst of a copy; Fixpipe has no figure."""
    core, path = RATES["core"], path_of(instr)
    if path == "l0c_gm":
        return 0.0
    return core["l1_burst" if path == "gm_l1" else "ub_burst"].value * core[path].value / BLOCK_BYTES


def element_bytes(instr: Instr) -> int:
    """Of the widest operand of a vector instruction: it says how many lanes a repeat has."""
    return 2 if instr.name in WORDS else max(BYTES[v.dtype] for v in (*instr.reads, *instr.writes))


def amount_of(instr: Instr, at: Iterations) -> Amount:
    """What an instruction does at each iteration. Raises AssertionError for one that does not say it."""
    assert instr.amount, f"how much is {instr.text}?"
    numbers = [_natural(at.range(text)) for text in instr.amount]
    match instr.pipe:
        case "V":
            return _vector(instr, numbers)
        case "M":
            return _product(instr, numbers)
        case "MTE1":
            return Amount(_scaled(numbers[0], FRACTAL_BYTES), numbers[0])
        case "S":
            return Amount(numbers[0], numbers[0])
    if path_of(instr) == "fill":
        return Amount(_scaled(numbers[0], BLOCK_BYTES), numbers[0])
    bursts, size = numbers
    blocks = _quotient_up(size, BLOCK_BYTES)
    lacking = _natural(Range(least_blocks(instr) - blocks.most, least_blocks(instr) - blocks.least))
    short = _product_of(bursts, exactly(lacking.most) if blocks.is_known else lacking)
    return Amount(_product_of(bursts, size), _product_of(bursts, blocks), short)


def _vector(instr: Instr, numbers: list[Range]) -> Amount:
    size = element_bytes(instr)
    if instr.name in REPEATED:
        return Amount(_product_of(*numbers), numbers[1])
    if instr.name == "Brcb":
        return Amount(_scaled(numbers[0], REPEAT_BYTES // BYTES[instr.writes[0].dtype]), numbers[0])
    size_of_all = _scaled(numbers[0], size)
    return Amount(numbers[0], _quotient_up(size_of_all, REPEAT_BYTES), ragged=_has_rest(size_of_all, REPEAT_BYTES))


def _product(instr: Instr, numbers: list[Range]) -> Amount:
    m, n, k, multiple = numbers
    depth, rounded = BLOCK_BYTES // BYTES[instr.reads[0].dtype], int(multiple.least[0])
    rows, cols = (_quotient_up(side, FRACTAL) for side in (m, n))
    products = _product_of(_product_of(rows, cols), _scaled(_quotient_up(k, rounded), rounded // depth))
    return Amount(_scaled(products, FRACTAL * FRACTAL * depth), products)


def _natural(number: Range) -> Range:
    """No instruction does less than nothing."""
    clipped = np.maximum(number.least, 0.0)
    return exactly(clipped) if number.is_known else Range(clipped, np.maximum(number.most, 0.0))


def _scaled(number: Range, factor: int) -> Range:
    return _each(number, number.least * factor, number.most * factor)


def _quotient_up(number: Range, divisor: int) -> Range:
    return _each(number, np.ceil(number.least / divisor), np.ceil(number.most / divisor))


def _has_rest(number: Range, divisor: int) -> Range:
    """1 where the quotient has a rest, which is not known where the number is not."""
    if not number.is_known:
        return Range(np.zeros(len(number.least)), np.ones(len(number.least)))
    return exactly((number.least % divisor != 0).astype(np.float64))


def _product_of(a: Range, b: Range) -> Range:
    known = a.is_known and b.is_known
    least = a.least * b.least
    return exactly(least) if known else Range(least, a.most * b.most)


def _each(like: Range, least: Numbers, most: Numbers) -> Range:
    return exactly(least) if like.is_known else Range(least, most)
