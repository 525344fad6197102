"""Fragments, by literal rows of the vendors' tables; addresses and shared tiles, by numbers."""

from __future__ import annotations

import numpy as np
import pytest

from uol.backends.simt.c_text.address import flipped, quotient, remainder, scaled, total, value_of
from uol.backends.simt.c_text.terms import Local
from uol.backends.simt.kernel.layouts import BANKS_BYTES, SharedTile
from uol.backends.simt.machine.fragments import UNITS, MatrixUnit, OwnerMap, Places
from uol.ir.program.nodes import Const

LANE = Local("lane")
TABLES = {
    # PTX ISA, "Matrix fragments for mma.m16n8k16" (.f16): rows and columns of a0 .. a7, b0 .. b3, c0 .. c3 of one lane.
    ("mma_16x8x16_f16", "a", 5): [(1, 2), (1, 3), (9, 2), (9, 3), (1, 10), (1, 11), (9, 10), (9, 11)],
    ("mma_16x8x16_f16", "b", 5): [(2, 1), (3, 1), (10, 1), (11, 1)],
    ("mma_16x8x16_f16", "d", 31): [(7, 6), (7, 7), (15, 6), (15, 7)],
    # ".m16n8k8" (.tf32).
    ("mma_16x8x8_tf32", "a", 5): [(1, 1), (9, 1), (1, 5), (9, 5)],
    ("mma_16x8x8_tf32", "b", 5): [(1, 1), (5, 1)],
    # ".m16n8k32" (.s8).
    ("mma_16x8x32_i8", "a", 5): [
        *((1, k) for k in (4, 5, 6, 7)), *((9, k) for k in (4, 5, 6, 7)),
        *((1, k) for k in (20, 21, 22, 23)), *((9, k) for k in (20, 21, 22, 23)),
    ],
    ("mma_16x8x32_i8", "b", 5): [*((k, 1) for k in (4, 5, 6, 7)), *((k, 1) for k in (20, 21, 22, 23))],
    # AMD Matrix Instruction Calculator, v_mfma_f32_32x32x8f16 and v_mfma_f32_16x16x16f16.
    ("mfma_32x32x8_f16", "a", 35): [(3, 4), (3, 5), (3, 6), (3, 7)],
    ("mfma_32x32x8_f16", "b", 35): [(4, 3), (5, 3), (6, 3), (7, 3)],
    ("mfma_32x32x8_f16", "d", 35): [(row, 3) for group in (4, 12, 20, 28) for row in range(group, group + 4)],
    ("mfma_16x16x16_f16", "a", 35): [(3, 8), (3, 9), (3, 10), (3, 11)],
    ("mfma_16x16x16_f16", "d", 35): [(8, 3), (9, 3), (10, 3), (11, 3)],
    ("mfma_32x32x2_f32", "a", 35): [(3, 1)],
    ("mfma_16x16x4_f32", "b", 35): [(2, 3)],
}  # fmt: skip


def places(owned: OwnerMap, lane: int) -> list[tuple[int, int]]:
    def at(place: Places, element: int) -> int:
        return int(value_of(place(LANE, Const(element)), {LANE.name: lane}))

    return [(at(owned.row, e), at(owned.col, e)) for e in range(owned.elements)]


@pytest.mark.parametrize(("name", "operand", "lane"), TABLES)
def test_a_lane_owns_what_the_documents_say(name: str, operand: str, lane: int) -> None:
    assert places(getattr(UNITS[name], operand), lane) == TABLES[name, operand, lane]


@pytest.mark.parametrize("unit", UNITS.values(), ids=list(UNITS))
def test_every_element_has_one_owner(unit: MatrixUnit) -> None:
    for owned in (unit.a, unit.b, unit.d):
        found = [place for lane in range(owned.lanes) for place in places(owned, lane)]
        assert sorted(found) == [(row, col) for row in range(owned.rows) for col in range(owned.cols)]


@pytest.mark.parametrize("by", [2, 3, 4, 8, 16, 32, 64])
def test_addresses_are_what_they_were_before_they_were_folded(by: int) -> None:
    lane, warp, i = Local("lane"), Local("warp"), Local("i")
    lanes, warps, turns = (each.ravel() for each in np.meshgrid(np.arange(32), np.arange(4), np.arange(4)))
    values = {"lane": lanes, "warp": warps, "i": turns}
    below = remainder(lane, 8)
    cases = {
        total(scaled(warp, 64), below, scaled(quotient(lane, 16), 8)): warps * 64 + lanes % 8 + lanes // 16 * 8,
        total(scaled(warp, 64), scaled(i, 8), scaled(remainder(lane, 4), 2)): warps * 64 + turns * 8 + lanes % 4 * 2,
        flipped(scaled(warp, 8), scaled(i, 2), remainder(quotient(lane, 8), 2)): (warps * 8) ^ (turns * 2) ^ (lanes // 8 % 2),
        total(scaled(i, 3), 7): turns * 3 + 7,
    }
    for term, numbers in cases.items():
        numbers = np.broadcast_to(numbers, lanes.shape)
        assert np.all(value_of(quotient(term, by), values) == numbers // by)
        assert np.all(value_of(remainder(term, by), values) == numbers % by)
        assert np.all(value_of(scaled(term, by), values) == numbers * by)


@pytest.mark.parametrize(
    ("rows", "row_bytes", "interleave"), [(128, 64, 1), (32, 256, 1), (64, 128, 1), (128, 64, 4), (32, 32, 1)]
)
def test_a_tile_has_each_chunk_once_and_neighbours_in_different_banks(rows: int, row_bytes: int, interleave: int) -> None:
    tile, row, chunk = SharedTile(rows, row_bytes, interleave), Local("row"), Local("chunk")
    address = tile.chunk(row, chunk)
    at = np.array([[value_of(address, {"row": r, "chunk": c}) for c in range(tile.chunks)] for r in range(rows)])
    assert sorted(at.ravel()) == list(range(0, rows * row_bytes, 16))
    assert (at[tile.repeats * interleave :] - at[: -tile.repeats * interleave] == tile.repeats * row_bytes).all()
    for first in range(0, rows, 8):  # what one access of eight lanes reads, of one chunk of as many rows
        for column in at[first : first + 8].T:
            assert len(set(column % BANKS_BYTES)) == 8 or interleave > 1
