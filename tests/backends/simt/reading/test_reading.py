"""Emitted kernels read back: statements and their units, loops, samples of large grids."""

from __future__ import annotations

import numpy as np
import pytest

from uol.backends.simt.choosing import issued
from uol.backends.simt.reading import run
from uol.backends.simt.reading.alike_turns import has_like_turns
from uol.backends.simt.reading.by_block import BlockReading
from uol.backends.simt.reading.parse import read_kernels
from uol.backends.simt.reading.run import Reading
from uol.backends.simt.reading.syntax import KernelText, Loop, Simple
from uol.backends.simt.reading.units import simple_statements, types_of, unit_of
from uol.ir.integers.intervals import Interval

HEAD = """extern "C" __global__ void __launch_bounds__(64) kernel(const uol::f16* __restrict__ x, float* __restrict__ y, int n)
{
"""


def kernel(body: str) -> KernelText:
    (found,) = read_kernels(f"{HEAD}{body}\n}}\n")
    return found


def counts(body: str, grid: int = 1, chosen: tuple[int, ...] = (0,), turns: int = 64) -> dict[tuple[str, str], Interval]:
    return Reading(kernel(body), np.array(chosen), grid, 64, (32,), turns).run()[32].of_grid(chosen, grid)


@pytest.mark.parametrize(
    ("statement", "unit"),
    [
        ("const float a = uol::exp(float(x[3]));", "special"),
        ("const float a = float(x[3]) / 2.0f;", "special"),
        ("const float a = float(x[3]) + 1.0f;", "f32-vector"),
        ("const bool a = float(x[3]) > 1.0f;", "f32-vector"),
        ("const double a = double(y[0]) * 2.0;", "f64-vector"),
        ("const int a = n / 2;", "integer"),
        ("y[n / 2] = float(x[n % 3]);", "memory"),
        ("const float a = 0.0f;", "move"),
        ("y[0] += 1.0f;", "f32-vector"),
    ],
)
def test_a_statement_is_of_the_unit_that_does_most_of_it(statement: str, unit: str) -> None:
    text = kernel(statement)
    (step,) = simple_statements(text.body)
    assert unit_of(step, types_of(text), frozenset("xy")) == unit


def test_statements_have_the_places_that_they_have_in_the_text() -> None:
    body = "  for (int i = 0; i < 3; ++i)\n    y[i] = 1.0f;\n"
    (loop,) = kernel(body).body
    assert isinstance(loop, Loop)
    (step,) = loop.body
    assert isinstance(step, Simple)
    text = f"{HEAD}{body}"
    assert text[step.start : step.end] == "y[i] = 1.0f"
    assert text[loop.start :].startswith("for (")
    assert text[slice(*loop.head)] == "i < 3"
    assert not loop.scope.braces
    assert text[loop.scope.start : loop.scope.end] == "y[i] = 1.0f;"


@pytest.mark.parametrize("text", ["y[0] = x[0], 1;", "do { } while (n);", "goto end;", "y[0] = [](int a) { return a; }(1);"])
def test_what_no_template_writes_is_an_error(text: str) -> None:
    with pytest.raises((ValueError, AssertionError)):
        kernel(text)


def test_a_loop_whose_turns_are_alike_is_multiplied() -> None:
    found = counts("float s = 0.0f;\nfor (int i = 0; i < 1000000; ++i) s += 2.0f;\ny[threadIdx.x] = s;")
    assert found["statement", "f32-vector"] == Interval(64_000_000, 64_000_000)


LOOPS = {
    # name: (a text that begins with a loop, are the turns of that loop alike?); y is of f32, a sector is eight of them
    "whole sectors": ("for (int i = 0; i < 100; ++i) y[threadIdx.x + i * 8] = 1.0f;", True),
    "half of a sector": ("for (int i = 0; i < 100; ++i) y[threadIdx.x + i * 4] = 1.0f;", False),
    "rows of eight": ("for (int i = threadIdx.x; i < 640; i += 64) y[i / 64 * 8 + i % 64] = 1.0f;", True),
    "rows of seven": ("for (int i = threadIdx.x; i < 640; i += 64) y[i / 64 * 7 + i % 64] = 1.0f;", False),
    "a divisor between": ("for (int i = threadIdx.x; i < 640; i += 64) y[i / 48 * 8] = 1.0f;", False),
    "by names": ("for (int i = 0; i < 9; ++i) { const int row = i * 16; const int at = row - i * 8; y[at] = 1.0f; }", True),
    "carried": ("int at = 0; for (int i = 0; i < 9; ++i) { y[threadIdx.x + at] = 1.0f; at += 3; }", False),
    "some turns": ("for (int i = 0; i < 9; ++i) if (i < 4) y[threadIdx.x] = 1.0f;", False),
    "every fourth": ("for (int i = 0; i < 36; i += 4) if ((i + threadIdx.x) % 4 == 0) y[threadIdx.x] = 1.0f;", True),
    "a choice": ("for (int i = 0; i < 9; ++i) y[threadIdx.x] = i < 4 ? 1.0f : float(x[0]);", False),
    "a loop that moves": ("for (int k = 0; k < 64; k += 8) for (int i = k; i < k + 8; ++i) y[i] = 1.0f;", True),
    "a loop that grows": ("for (int k = 0; k < 64; k += 8) for (int i = 0; i < k; ++i) y[i] = 1.0f;", False),
    "within a loop": (
        "for (int k = 0; k < 64; k += 16) for (int i = threadIdx.x; i < 256; i += 64) { const int at = k + i % 16;"
        " y[at + i / 16 * 64] = float(x[at + i / 16 * 64]); }",
        True,
    ),
    "set within": ("for (int k = 0; k < 9; ++k) { int at = 0; for (int i = 0; i < 2; ++i) { y[at] = 1.0f; at = k; } }", False),
    "by data": ("for (int i = 0; i < 64; i += 8) y[int(x[i])] = 1.0f;", False),
}


@pytest.mark.parametrize(("body", "alike"), LOOPS.values(), ids=LOOPS)
def test_a_turn_that_stands_for_all_has_the_counts_of_each(body: str, alike: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    loop = next(s for s in kernel(body).body if isinstance(s, Loop))
    assert has_like_turns(loop, {"x": 2, "y": 4}) is alike
    once = counts(body, grid=2, chosen=(0, 1), turns=1000)
    monkeypatch.setattr(run, "has_like_turns", lambda *given: False)
    assert counts(body, grid=2, chosen=(0, 1), turns=1000) == once


def test_data_leaves_an_interval() -> None:
    found = counts("if (float(x[0]) > 0.0f) y[threadIdx.x] = 1.0f;")
    assert found["statement", "memory"] == Interval(0, 64)
    assert found["store", "y"] == Interval(0, 8 * 32)


def test_a_bound_that_data_gives_leaves_an_interval() -> None:
    body = "const int end = uol::lower_bound<int>(y, 1, 100, 7);\nfor (int i = 0; i < end; ++i) y[i] = 2.0f;"
    assert counts(body)["statement", "memory"] == Interval(0, 100 * 64)


def test_lanes_that_look_for_values_of_their_own_read_where_these_lead() -> None:
    """Of 100 f32 in 14 sectors at most: one place in the first step, two in the second; then as many as there are sectors."""
    alike, apart = (counts(f"const int i = uol::upper_bound<int>(y, 1, 100, {value});") for value in ("7", "float(x[0])"))
    steps = [1, 2, 4, 8, 14, 14, 14]
    assert alike["load", "y"] == Interval(2 * 32, 2 * len(steps) * 32)
    assert apart["load", "y"] == Interval(2 * 32, 2 * sum(steps) * 32)
    assert apart["operation", "f32-vector"].high == 64 * len(steps)
    assert counts("const int i = uol::lower_bound<int>(y, 1, 0, 7);")["load", "y"] == Interval(0, 0)


def test_a_search_in_shared_memory_reads_nothing_else() -> None:
    found = counts("__shared__ float near[100];\nconst int i = uol::upper_bound<int>(near, 1, 100, float(x[0]));")
    assert found["scratch", "load"] == Interval(64 * 4, 64 * 7 * 4)
    assert {name for kind, name in found if kind == "load"} == {"x"}


ROWS = "for (int i = threadIdx.x; i < 1000; i += 64) y[blockIdx.x * 1000 + i] = float(x[blockIdx.x * 1000 + i]);"


def test_some_blocks_and_turns_enclose_what_all_of_them_have() -> None:
    whole = counts(ROWS, 40, tuple(range(40)))
    part = counts(ROWS, 40, (0, 7, 18, 29, 39), turns=6)
    assert whole["store", "y"] == Interval(40 * 1000 * 4, 40 * 1000 * 4)  # 1000 f32 are whole sectors
    for key, count in whole.items():
        found = part[key]
        assert found.low is not None and found.high is not None and count.low is not None
        assert found.low <= count.low <= found.high, key


LOOP_IN_LOOP = f"for (int k = 0; k < 50; ++k) for (int j = 0; j < k % 9; ++j) {{ {ROWS.replace('1000', '101')} }}"


@pytest.mark.parametrize("most", [1, 1 << 24])
def test_of_loops_within_loops_fewer_turns_are_read(most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """As many as expressions may be evaluated; what is found encloses what all turns have, and is that where all are read."""
    monkeypatch.setattr(issued, "MOST_VISITS", most)
    text = f"{HEAD}{LOOP_IN_LOOP}\n}}\n"
    found = issued._read.__wrapped__(text, 2, 64, ())[32]["store", "y"]
    whole = counts(LOOP_IN_LOOP, 2, (0, 1))["store", "y"]
    assert found.low is not None and found.high is not None and whole.low is not None
    assert found.low <= whole.low <= found.high and (found == whole) == (most == 1 << 24)


def test_a_fold_over_the_block_has_the_header_s_barriers_and_shuffles() -> None:
    body = "__shared__ float scratch[64 / uol::warp_width];\nfloat s = 1.0f;\ns = uol::block_sum<64>(s, scratch);\ny[0] = s;"
    found = counts(body)
    assert found["primitive", "barrier"] == Interval(2, 2)
    assert found["primitive", "shuffle"] == Interval(2 * 5, 2 * 5)  # two warps
    assert found["scratch", "store"] == Interval(2 * 4, 2 * 4)
    assert found["scratch", "load"] == Interval(64 * 2 * 4, 64 * 2 * 4)


def test_what_a_branch_sets_is_so_for_the_lanes_that_take_it() -> None:
    """Lanes 0 to 15 write to the fifth sector, all others to the first; or data says which of the two it is."""
    known = counts("int at = 0;\nif (threadIdx.x < 16) at = 32;\ny[at] = 1.0f;")
    assert known["store", "y"] == Interval(3 * 32, 3 * 32)
    unknown = counts("int at = 0;\nif (float(x[threadIdx.x]) > 0.0f) at = 32;\ny[at] = 1.0f;")
    assert unknown["store", "y"] == Interval(2 * 32, 64 * 32)
    turns = counts("int at = 1;\nif (float(x[threadIdx.x]) > 0.0f) at = 3;\nfor (int i = 0; i < at; ++i) {\n  y[0] = 1.0f;\n}")
    assert turns["statement", "memory"] == Interval(64, 3 * 64)


def of_blocks(body: str, chosen: tuple[int, ...] = (0,), turns: int = 64) -> list[int]:
    """Bytes that leave each block: of 64 threads, x in 2 bytes an element, y in 4."""
    reading = BlockReading(kernel(body), np.array(chosen), 8, 64, (32,), turns)
    return reading.run_blocks().tolist()


def test_a_sector_leaves_a_block_once() -> None:
    one = "const int i = blockIdx.x * 64 + threadIdx.x;\n"
    assert of_blocks(f"{one}y[i] = 1.0f;", (0, 3)) == [256, 256]
    assert of_blocks(f"{one}y[i] = float(x[i]) + float(x[i]);") == [128 + 256]
    assert of_blocks(f"{one}y[i] = float(x[i]) + float(x[i + 1]);", (0,)) == [128 + 32 + 256], "one more at the end"
    assert of_blocks(f"{one}if (threadIdx.x < 8) y[i] = 1.0f;") == [32]
    half = "const uol::Vector<float, 4> a = uol::load_vector<4>(y, i * 8 + h * 4, true);"
    halves = f"{one}for (int h = 0; h < 2; ++h) {{\n{half}\n}}"
    assert of_blocks(halves) == [64 * 32], "each half of a sector is asked for, the sector moves once"


def test_windows_that_overlap_leave_a_block_once_and_long_loops_each_turn() -> None:
    window = "const int i = blockIdx.x * 64 + threadIdx.x;\nfloat s = 0.0f;\n"
    window += "for (int k = 0; k < {0}; ++k) {{\ns += y[i + k * 8];\n}}"
    assert of_blocks(window.format(3)) == [(64 + 16) * 4]
    assert of_blocks(window.format(100)) == [100 * 64 * 4], "of a loop of more turns than are read, each counts for itself"


def test_what_data_says_is_a_sector_a_lane() -> None:
    assert of_blocks("const int i = int(x[threadIdx.x]);\ny[i] = 1.0f;") == [128 + 64 * 32]
