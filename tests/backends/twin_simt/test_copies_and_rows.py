"""Asynchronous copies, rows of matrices, loads of ranges and words in the twin: what they move, when, and what they may not."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hand_written import dense, module
from matrix_kernels import CUDA, operands, product
from planted_copies import CASES, HEAD

from uol.backends.twin import TwinRun, execute_many
from uol.backends.twin.record import Job
from uol.codegen.backend import Launch

DIFFERS = frozenset({"unwritten-result"})


def marks(text: str) -> set[tuple[str, int]]:
    """What the text says is found, and in which line."""
    found = ((number, re.search(r"// ! (.+)$", line)) for number, line in enumerate(text.splitlines(), 1))
    return {(kind, number) for number, mark in found if mark for kind in mark[1].split(", ")}


@pytest.fixture(scope="module")
def runs() -> dict[str, TwinRun]:
    buffers = [dense("x", "i32", (256,), "in"), dense("y", "i32", (256,), "out")]
    launches = {"kernel": Launch((1, 1, 1), (64, 1, 1), 4096)}
    texts = [HEAD + body.strip("\n") + "\n}\n" for body in CASES.values()]
    x = {"x": np.arange(256, dtype=np.int32)}
    jobs = [Job(module("cuda", text, buffers, launches), x) for text in texts]
    return dict(zip(CASES, execute_many(jobs), strict=True))


@pytest.mark.parametrize("name", CASES)
def test_a_defect_is_found_at_its_line_and_nothing_else(runs: dict[str, TwinRun], name: str) -> None:
    text = HEAD + CASES[name].strip("\n") + "\n}\n"
    found = {(f.kind, f.line) for f in runs[name].findings if f.kind not in DIFFERS}
    assert found == marks(text), [str(f) for f in runs[name].findings]


VALUES = {
    "own bytes behind the wait": lambda t: t,
    "another's bytes behind wait and barrier": lambda t: 63 - t,
    "another's bytes behind a warp barrier": lambda t: t // 32 * 32 + 31 - t % 32,
    "nothing is read where it is not valid": lambda t: np.where(t < 16, t * 16, 0),
    "elements of two bytes under a copy": lambda t: np.where(t % 2 == 0, 0, 63 - t // 2),
}


@pytest.mark.parametrize("name", VALUES)
def test_copies_bring_what_they_read(runs: dict[str, TwinRun], name: str) -> None:
    t = np.arange(64)
    np.testing.assert_array_equal(runs[name].outputs["y"][:64], VALUES[name](t))


def test_bytes_are_counted_where_they_are_valid(runs: dict[str, TwinRun]) -> None:
    counts = runs["nothing is read where it is not valid"].counts
    assert (counts["global_loads"], counts["global_load_bytes"]) == (16, 256)
    assert (counts["shared_stores"], counts["shared_store_bytes"]) == (64, 1024)


def test_rows_in_one_bank_are_conflicts() -> None:
    """Without the swizzle eight rows of 64 bytes lie in two places of the 128 bytes that banks give at once: four of each."""
    buffers, sizes = operands(64, 64, 64)
    plain = CUDA.replace("(chunk ^ row / 2 % 4)", "chunk").replace("(lane / 16 ^ lane / 2 % 4) * 16", "lane / 16 * 16")
    jobs = [Job(product("cuda", text, 64, 64, 64), buffers, sizes) for text in (CUDA, plain)]
    swizzled, conflicts = execute_many(jobs)
    assert not swizzled.findings and not conflicts.findings
    np.testing.assert_array_equal(swizzled.outputs["y"], conflicts.outputs["y"])
    rows = swizzled.counts["shared_loads"]  # of 16 bytes, of which eight lanes' go at once
    assert swizzled.counts["shared_load_transactions"] == rows // 8
    assert conflicts.counts["shared_load_transactions"] == rows // 8 * 4


RANGES = """#include "uol_device.h"
#include "uol_matrix.h"

extern "C" __global__ void __launch_bounds__(64) kernel(const int* __restrict__ x, int* __restrict__ y)
{
  const int t = threadIdx.x;
  const uol::BufferRange range = uol::buffer_range(x, 120);
  unsigned four[4];
  uol::load_buffer<16>(four, range, t * 8, 0);
  for (int i = 0; i < 4; ++i) y[t * 4 + i] = four[i];
  uol::load_buffer<8>(four, range, t * 4, 8, t < 5);
  for (int i = 0; i < 2; ++i) y[256 + t * 2 + i] = four[i];
}
"""


def test_words_beyond_a_range_are_zeros() -> None:
    buffers = [dense("x", "i32", (32,), "in"), dense("y", "i32", (384,), "out")]
    x = np.arange(1, 33, dtype=np.int32)
    (run,) = execute_many([Job(module("hip", RANGES, buffers, {"kernel": Launch((1, 1, 1), (64, 1, 1))}), {"x": x})])
    assert not run.findings, run.findings
    padded = np.concatenate([x[:30], np.zeros(200, np.int32)])
    t = np.arange(64)[:, None]
    np.testing.assert_array_equal(run.outputs["y"][:256].reshape(64, 4), padded[t * 2 + np.arange(4)])
    np.testing.assert_array_equal(
        run.outputs["y"][256:].reshape(64, 2), np.where(t < 5, padded[np.minimum(t, 9) + 2 + np.arange(2)], 0)
    )
