"""Squares about a shared value by parts: what a target may round is admitted, no more; kernels in float32 are within that."""

from __future__ import annotations

from math import isqrt

import numpy as np
import pytest

from uol.codegen.specs.long_rows.split_squares import are_enough
from uol.conformance.accuracy.contracts import contract
from uol.conformance.accuracy.error_analysis import enclose
from uol.conformance.accuracy.interval import Enclosure
from uol.ir import Library, instantiate, parse

HEAD = "op f(x: f32[C], w: f32[C]) -> (q: f32[]) where C > 0 {\n  m[] = sum[c](x[c]) / C\n"
ABOUT_THE_MEAN = HEAD + "  q[] = sum[c]((x[c] - m[]) * (x[c] - m[]))\n}"
BY_NAME = HEAD + "  d[c] = x[c] - m[]\n  q[] = sum[c](d[c] * d[c])\n}"
ABOUT_EACH_ITS_OWN = HEAD + "  q[] = sum[c]((x[c] - w[c]) * (x[c] - w[c]))\n}"
COLUMNS, PART = 1 << 12, 32
UNIT = 2.0**-24


def owed(text: str, x: np.ndarray, target: str) -> Enclosure:
    ops = parse(text)
    program = instantiate(ops[0], Library(ops), types={}, dims={"C": x.size})
    values = {"x": x.astype(np.float64), "w": np.zeros(x.size)}
    return enclose(program, values, {}, contract(target))["q"]


@pytest.mark.parametrize("text", [ABOUT_THE_MEAN, BY_NAME])
@pytest.mark.parametrize(("target", "is_admitted"), [("cuda", True), ("hip", True), ("cpu", False), ("ascendc", False)])
def test_a_sum_of_exact_squares_may_be_rounded_where_a_target_moves_them(text: str, target: str, is_admitted: bool) -> None:
    found = owed(text, np.resize([1.0, -1.0], COLUMNS), target)
    assert found.value == COLUMNS
    beside = COLUMNS * (1 + 8 * UNIT)
    assert bool(found.low <= beside <= found.high) == is_admitted
    assert not found.low <= COLUMNS * (1 + 2 * COLUMNS * UNIT) <= found.high


def test_squares_about_what_varies_with_the_terms_stay_exact() -> None:
    assert owed(ABOUT_EACH_ITS_OWN, np.resize([1.0, -1.0], COLUMNS), "cuda").exact


def by_parts(x: np.ndarray) -> np.floating:
    """What a kernel computes in float32, its sums one term after another, the order with the largest error."""
    parts = x.astype(np.float32).reshape(-1, PART)
    total, moved, raw = (np.zeros(parts.shape[0], np.float32) for _ in range(3))
    for column in parts.T:
        apart = column - parts[:, 0]
        total, moved, raw = total + column, moved + apart, raw + apart * apart
    own = np.maximum(raw - moved * (moved / np.float32(PART)), np.float32(0))
    mean = np.add.accumulate(total)[-1] / np.float32(x.size)
    return np.add.accumulate(own + np.float32(PART) * (total / np.float32(PART) - mean) ** 2)[-1]


def first_apart(rng: np.random.Generator) -> np.ndarray:
    x = rng.standard_normal(COLUMNS) * 1e-3
    x[::PART] = 1000
    return x


@pytest.mark.parametrize(
    "draw",
    [
        lambda rng: 1000 + rng.standard_normal(COLUMNS),
        first_apart,
        lambda rng: np.arange(COLUMNS) * 0.37 - 11,
        lambda rng: np.full(COLUMNS, 0.1),
        lambda rng: np.where(rng.random(COLUMNS) < 0.01, 1e4, rng.standard_normal(COLUMNS)),
    ],
    ids=["a mean of 1000 deviations", "the first of each part", "a slope", "all alike", "few far away"],
)
def test_what_a_kernel_computes_is_within_what_is_owed(draw: object) -> None:
    assert are_enough(COLUMNS // PART, PART) and isqrt(3 * COLUMNS) < COLUMNS // PART
    assert callable(draw)
    x = np.asarray(draw(np.random.default_rng(5)), np.float32)
    found = owed(ABOUT_THE_MEAN, x, "cuda")
    assert found.low <= by_parts(x) <= found.high
