"""What a counted run counts beside all others: executed statements by unit, and the sectors of global memory, in hand-written
texts; and what a reading of these texts says of it."""

from __future__ import annotations

import numpy as np
import pytest
from hand_written import dense, module

from uol.backends.simt.reading.lanes import SECTOR_BYTES
from uol.backends.simt.reading.parse import read_kernels
from uol.backends.simt.reading.run import Reading
from uol.backends.simt.reading.units import MATRIX_UNITS
from uol.backends.twin import Job, TwinRun, execute_many
from uol.codegen.backend import Launch, Module
from uol.ir.integers.intervals import Interval

TEXT = """#include "uol_device.h"

extern "C" __global__ void __launch_bounds__(64) kernel(
    const float* __restrict__ x, const int* __restrict__ at, float* __restrict__ y)
{{
  const int t = threadIdx.x;
  {body}
}}
"""
FORMS = {
    # name: (body, sectors read, sectors written) of 64 lanes, in warps of 32 and in warps of 64
    "neighbours": ("y[t] = x[t];", (8, 8), (8, 8)),
    "every eighth": ("y[t] = x[t * 8];", (64, 64), (8, 8)),
    "one": ("y[t] = x[5];", (2, 1), (8, 8)),
    "shifted": ("y[t] = x[t + 1];", (10, 9), (8, 8)),  # each warp begins within a sector
    "twice in a statement": ("y[t] = x[t] * x[t];", (8, 8), (8, 8)),
    "in two statements": ("const float a = x[t]; y[t] = a + x[t];", (16, 16), (8, 8)),
    "half of the lanes": ("if (t % 2 == 0) y[t] = x[t];", (8, 8), (8, 8)),
    "some lanes": ("if (t < 4) y[t] = x[t];", (1, 1), (1, 1)),
    "one or the other": ("if (t % 2) y[t] = x[t]; else y[t] = x[t + 1];", (16, 16), (16, 16)),
    "a choice of stores": ("y[t] = x[t] > 0.0f ? 1.0f : 0.0f;", (8, 8), (8, 8)),
    "looked up": ("y[t] = x[at[t]];", (16, 16), (8, 8)),  # at: 0 to 63, backwards
    "turns": ("for (int i = 0; i < 3; ++i) y[t] = x[t + 64 * i];", (24, 24), (24, 24)),
    # a lane that leaves out a turn still takes the others with its warp
    "turns left out": ("for (int i = 0; i < 3; ++i) { if ((t + i) % 3 == 0) continue; y[t] = x[t]; }", (24, 24), (24, 24)),
    "turns of its own": ("for (int i = t / 32; i < 2; ++i) y[t] = x[t];", (12, 12), (12, 12)),
}
X, AT = np.zeros(512, np.float32), np.arange(64, dtype=np.int32)[::-1].copy()


def written(backend: str, body: str) -> Module:
    buffers = [dense("x", "f32", [512], "in"), dense("at", "i32", [64], "in"), dense("y", "f32", [64], "out")]
    return module(backend, TEXT.format(body=body), buffers, {"kernel": Launch((1, 1, 1), (64, 1, 1))})


def counted(backend: str, bodies: list[str]) -> list[TwinRun]:
    return execute_many([Job(written(backend, body), {"x": X, "at": AT}, counted=True) for body in bodies])


@pytest.fixture(scope="module", params=["cuda", "hip"])
def runs(request: pytest.FixtureRequest) -> tuple[int, dict[str, TwinRun]]:
    found = counted(request.param, [body for body, *_ in FORMS.values()])
    return ("cuda", "hip").index(request.param), dict(zip(FORMS, found, strict=True))


@pytest.mark.parametrize("name", FORMS)
def test_a_warp_moves_each_sector_of_a_statement_once(runs: tuple[int, dict[str, TwinRun]], name: str) -> None:
    machine, found = runs
    counts = found[name].counts
    _, read, stored = FORMS[name]
    assert (counts["global_load_sectors"], counts["global_store_sectors"]) == (read[machine], stored[machine])
    assert counts["missed_accesses"] == 0


def test_statements_count_by_the_unit_that_they_are_for() -> None:
    body = """const float a = x[t];
  float b = 0.0f;
  for (int i = 0; i < 5; ++i) b += a * 2.0f;
  if (t < 3) b = uol::exp(b);
  y[t] = b;"""
    (run,) = counted("cuda", [body])
    units = {name.removeprefix("statements "): n for name, n in run.counts.items() if name.startswith("statements ")}
    # t; a, and the store; the start of b; the sum
    expected = {"special": 3, "f64-vector": 0, "f32-vector": 5 * 64, "integer": 0, "memory": 2 * 64, "move": 2 * 64}
    assert units == expected | dict.fromkeys(MATRIX_UNITS, 0)


def read(body: str, width: int) -> dict[tuple[str, str], Interval]:
    (text,) = read_kernels(TEXT.format(body=body))
    return Reading(text, np.array([0]), 1, 64, (32, 64), turns_read=64).run()[width].of_grid((0,), 1)


@pytest.mark.parametrize("name", [n for n in FORMS if n != "looked up"])
@pytest.mark.parametrize("width", [32, 64])
def test_a_reading_of_the_text_gives_the_sectors_that_a_hand_counts(name: str, width: int) -> None:
    body, sectors_read, sectors_written = FORMS[name]
    found, machine = read(body, width), (32, 64).index(width)
    for key, sectors in ((("load", "x"), sectors_read), (("store", "y"), sectors_written)):
        assert found[key] == Interval(*[sectors[machine] * SECTOR_BYTES] * 2)


def test_where_data_says_the_place_a_reading_encloses() -> None:
    found = read(FORMS["looked up"][0], 32)
    assert found["load", "x"] == Interval(2 * SECTOR_BYTES, 64 * SECTOR_BYTES)
    assert found["load", "at"] == found["store", "y"] == Interval(8 * SECTOR_BYTES, 8 * SECTOR_BYTES)


def test_what_is_counted_does_not_change_results() -> None:
    body = "float s = 0.0f;\n  for (int i = 0; i < 8; ++i)\n    if (i % 2 == 0) s += x[t + i];\n  y[t] = s;"
    x = np.random.default_rng(0).standard_normal(512).astype(np.float32)
    jobs = [Job(written("cuda", body), {"x": x, "at": AT}, counted=counting) for counting in (False, True)]
    plain, seen = execute_many(jobs)
    np.testing.assert_array_equal(plain.outputs["y"], seen.outputs["y"])
    assert "global_load_sectors" not in plain.counts
    assert "global_load_sectors" in seen.counts
