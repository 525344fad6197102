"""Elements that data says: what is looked up at one place is one value, so lanes side by side in a row share its sectors."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from uol.backends.simt.reading.by_block import BlockReading
from uol.backends.simt.reading.counts import Ints
from uol.backends.simt.reading.lanes import Active, computed, is_one_place, sectors
from uol.backends.simt.reading.lookups import Looked, found_by
from uol.backends.simt.reading.parse import read_kernels
from uol.backends.simt.reading.run import Reading
from uol.backends.simt.reading.syntax import KernelText
from uol.ir.integers.intervals import Interval

HEAD = """extern "C" __global__ void __launch_bounds__(64) kernel(
    const long long* __restrict__ at, const int* __restrict__ from, const float* __restrict__ w, long long* __restrict__ own,
    float* __restrict__ y)
{
  const int t = threadIdx.x;
"""
SECTOR = 32


def kernel(body: str) -> KernelText:
    (found,) = read_kernels(f"{HEAD}{body}\n}}\n")
    return found


def moved(body: str, tensor: str = "w", what: str = "load") -> tuple[int, int]:
    """Sectors of a block of 64 threads, two warps: at least and at most."""
    found = Reading(kernel(body), np.array([0]), 1, 64, (32,), 64).run()[32].of_grid((0,), 1)[what, tensor]
    assert found.low is not None and found.high is not None
    return found.low // SECTOR, found.high // SECTOR


LOOKED_UP = {
    # w is of f32, eight of which are a sector: sectors of two warps at most
    "a row of whole sectors": ("const long long a = at[blockIdx.x];\ny[t] = w[a * 64 + t];", 8),
    "a row that may begin within a sector": ("const long long a = at[blockIdx.x];\ny[t] = w[a * 63 + t];", 10),
    "a row that may begin in its middle": ("const long long a = at[blockIdx.x];\ny[t] = w[a * 60 + t];", 10),
    "two rows in a warp": ("y[t] = w[at[t / 16] * 64 + t % 16];", 2 * 2 * 2),
    "two rows in a warp, not whole sectors": ("y[t] = w[at[t / 16] * 63 + t % 16];", 2 * 2 * 3),
    "the last lane is of a row of its own": ("y[t] = w[at[(t + 1) / 32] * 64 + t % 32];", 2 * (4 + 1)),
    "one element": ("const long long a = at[0];\ny[t] = w[a];", 2),
    "one element of a row of its own": ("y[t] = w[t * 64 + at[0]];", 64),
    "one element for each lane": ("y[t] = w[at[t]];", 64),
    "far apart": ("y[t] = w[at[0] * 64 + t % 2 * 8];", 2 * 2),
    "apart by less than a sector": ("y[t] = w[at[0] * 64 + t % 2 * 7];", 2),
    "apart by less than a sector, anywhere": ("y[t] = w[at[0] + t % 2 * 7];", 2 * 2),
    "pairs, each of which may be torn": ("y[t] = w[at[0] + t % 2 * 7 + t / 2 % 2 * 16];", 2 * 4),
    "on both sides of the row": ("y[t] = w[at[0] * 64 - 4 + t % 8];", 2 * 2),
    "backwards": ("y[t] = w[at[t / 16] * 64 - t % 16];", 2 * 2 * 3),
    "rows by a known one": ("y[t] = w[(t / 16 * 100 + at[0]) * 64 + t % 16];", 2 * 2 * 2),
    "16 bytes for each lane": ("const uol::Vector<float, 4> v = uol::load_vector<4>(w, at[0] * 256 + t * 4, true);", 2 * 16),
    "the same twice": ("y[t] = w[at[0] * 64 + t % 8] + w[at[0] * 64 + t % 8 + 4];", 2 * 2),
    "two tables": ("y[t] = w[at[0] * 64 + t % 8] + w[from[0] * 64 + t % 8];", 2 * 2),
    "two pitches": ("y[t] = w[at[0] * 64 + t % 8] + w[at[0] * 32 + t % 8];", 2 * 2),
    "a known place, too": ("y[t] = w[at[0] * 64 + t % 8] + w[t % 8];", 2 * 2),
    "a lookup of a lookup": ("y[t] = w[from[at[t / 16]] * 64 + t % 16];", 2 * 2 * 2),
    "neighbours of a lookup": ("y[t] = w[from[at[0] + t / 8 % 2] * 64 + t % 8];", 2 * 2),
    "neighbours of lookups": ("y[t] = w[from[at[t / 16] + t / 8 % 2] * 64 + t % 8];", 2 * 4),
    "neighbours further on": (
        "y[t] = w[from[at[t / 16] + t / 8 % 2] * 64 + t % 8] + w[from[at[t / 16] + t / 8 % 2 + 2] * 64 + t % 8];",
        2 * (4 + 4),
    ),
    "a wider type": ("const int a = from[0];\ny[t] = w[(long long)a * 64 + t % 8];", 2),
    "a narrower type": ("const int a = (int)at[0];\ny[t] = w[a * 64 + t % 8];", 64),
    "clamped": ("y[t] = w[uol::min(at[0], 9) * 64 + t % 8];", 64),
    "of two, which data says": ("const long long a = own[0] > 0 ? at[0] : at[1];\ny[t] = w[a * 64 + t % 8];", 64),
    "what the kernel writes": ("y[t] = w[own[0] * 64 + t % 8];", 64),
    "a product of lookups": ("y[t] = w[at[0] * at[1] + t % 8];", 64),
    "some lanes": ("if (t < 8) y[t] = w[at[0] * 64 + t];", 1),
}


@pytest.mark.parametrize(("body", "most"), LOOKED_UP.values(), ids=LOOKED_UP)
def test_sectors_that_are_looked_up(body: str, most: int) -> None:
    least, found = moved(body)
    assert (found, 0 < least <= most) == (most, True)


def test_a_guard_leaves_none_or_all_of_it() -> None:
    body = "const long long a = at[blockIdx.x];\nconst float v = a >= 0 && a < 9 ? w[a * 64 + t] : 0.0f;\ny[t] = v;"
    assert moved(body) == (0, 8)
    assert moved(body, "y", "store") == (8, 8)


def test_what_is_added_to_a_row_is_counted_as_it_is_read() -> None:
    body = "const long long a = at[t / 32];\nif (a >= 0 && a < 9) {\n  uol::atomic_add(y, a * 32 + t % 32, w[t]);\n}"
    assert moved(body, "y", "store") == (0, 8)
    assert moved(body.replace("a * 32", "a * 33"), "y", "store") == (0, 10)


RUN = """const int begin = uol::lower_bound<int>(from, 1, 1, t / 32);
const int end = uol::lower_bound<int>(from, 1, 1, t / 32 + 1);
for (int k = begin; k < end; {0}) {{
  y[t] = w[{1} * 32 + t % 32];
}}"""


@pytest.mark.parametrize(
    ("step", "row", "most"),
    [("++k", "k", 8), ("++k", "at[k]", 8), ("k += t / 32 + 1", "at[k]", 64), ("k = from[k]", "at[k]", 64)],
    ids=["one after another", "by a table", "a step for each warp", "a step by data"],
)
def test_lanes_of_one_run_are_at_one_row_in_each_turn(step: str, row: str, most: int) -> None:
    """A run of one row at most, which a search finds."""
    assert moved(RUN.format(step, row)) == (0, most)


def test_a_counter_that_the_body_sets_is_not_one_for_all() -> None:
    assert moved(RUN.format("++k", "k").replace("\n}", "\n  k += from[t];\n}")) == (0, 64)


def test_a_run_from_a_known_row_to_one_that_data_says() -> None:
    body = "const int end = uol::lower_bound<int>(from, 1, 5, 7);\n"
    assert moved(f"{body}for (int k = 0; k < end; ++k) {{\n  y[t] = w[k * 32 + t % 32];\n}}") == (0, 5 * 8)


EVERY = 2 * (1 + 2 + 4 + 8 + 3 * 14)
"""Of two warps: what so many steps may lead to; of 100 keys there are 14 sectors at most."""


@pytest.mark.parametrize(("wanted", "most"), [("7", 14), ("t / 32", 14), ("t / 8", 56), ("t", EVERY), ("int(w[t])", EVERY)])
def test_lanes_that_search_for_the_same_look_at_the_same(wanted: str, most: int) -> None:
    """Of 100 keys a search looks at 7."""
    assert moved(f"const int place = uol::lower_bound<int>(from, 1, 100, {wanted});", "from") == (2, most)


def test_what_is_looked_up_leaves_a_block_once() -> None:
    def leaves(body: str) -> int:
        (found,) = BlockReading(kernel(body), np.array([0]), 1, 64, (32,), 64).run_blocks().tolist()
        return found // SECTOR - 8  # of y

    row = "const long long a = at[0];\nconst float v = w[a * 64 + t];\n"
    assert leaves(f"{row}y[t] = v;") == 1 + 8
    assert leaves(f"{row}y[t] = v + w[a * 64 + t];") == 1 + 8
    assert leaves(f"{row}y[t] = v + w[a * 64 + t + 8];") == 1 + 9
    assert leaves("y[t] = w[at[t / 16] * 63 + t % 16];") == 1 + 4 * 3
    loop = "float s = 0.0f;\nfor (int k = 0; k < 4; ++k) {\n  s += w[at[k] * 64 + t % 8];\n}\ny[t] = s;"
    assert leaves(loop) == 1 + 4


def test_of_a_small_table_a_block_has_no_more_than_all() -> None:
    for body, most in (("y[t] = w[at[t]];", 5), ("y[t] = w[at[0]];", 1)):
        reading = BlockReading(kernel(body), np.array([0]), 1, 64, (32,), 64)
        reading.room = {"w": 5}
        before = 8 + (16 if "at[t]" in body else 1)
        assert reading.run_blocks().tolist() == [(before + most) * SECTOR]


def test_one_looked_up_element_is_one_access_of_a_warp() -> None:
    lanes = np.arange(64).reshape(1, 64)
    one, rows = found_by("at", [lanes // 32]), found_by("at", [lanes // 16])
    assert one is not None and rows is not None
    assert is_one_place(one, 32) and not is_one_place(one, 64) and not is_one_place(rows, 32)
    assert not is_one_place(computed("+", (one, lanes)), 32)


def rows_of(pitch: int, lanes: Ints) -> Iterator[tuple[Ints, Ints]]:
    """Keys and offsets of two warps: rows of some lengths, with holes, in any order."""
    rng = np.random.default_rng(abs(pitch))
    for length in (1, 3, 8, 20, 32, 64):
        yield lanes // length, lanes % length
        yield rng.integers(0, 64 // length + 1, lanes.shape), rng.integers(-40, 40, lanes.shape)


@pytest.mark.parametrize("element_bytes", [1, 2, 4, 8])
@pytest.mark.parametrize("pitch", [1, 3, 4, 6, 8, 33, 64, -5])
def test_no_data_has_more_sectors_and_some_has_as_many(pitch: int, element_bytes: int) -> None:
    """Where every row lies where most sectors are touched, far from the others, these are as many as are said."""
    lanes, everyone = np.arange(64).reshape(1, 64), np.ones((1, 64), bool)
    for keys, offsets in rows_of(pitch, lanes):
        _, (most,) = sectors([(Looked("at", keys, pitch, offsets), everyone, everyone)], element_bytes, 32)
        expected = 0
        for warp in range(0, 64, 32):
            key, offset = keys[0, warp : warp + 32], offsets[0, warp : warp + 32]
            for row in set(key.tolist()):
                places = [(value * pitch + offset[key == row]) * element_bytes // SECTOR for value in range(32)]
                expected += max(len(set(each.tolist())) for each in places)
        assert most == expected


def test_a_condition_that_was_looked_up_decides_for_no_lane() -> None:
    everyone = np.ones((1, 64), bool)
    found = Active(everyone, everyone).where(Looked("at", np.zeros((1, 1), np.int64)))
    assert not found.sure.any() and found.maybe.all()


def test_the_range_of_what_was_looked_up() -> None:
    found = computed("*", (Looked("at", np.array([[1, 2]]), within=Interval(0, 5)), np.array([[3]])))
    assert isinstance(found, Looked)
    moved_on = computed("+", (found, np.array([[10, 20]])))
    assert isinstance(moved_on, Looked)
    assert moved_on.range == Interval(10, 35)
    assert computed("%", (moved_on, np.array([[7]]))) == Interval(0, 6)
