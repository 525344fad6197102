"""Elements side by side that one condition decides on are read where it holds, and are its other value where it does not."""

from __future__ import annotations

import numpy as np
import pytest

import uol
from uol.backends.twin import Job, execute_many, kind_of
from uol.ir.program.dtype_encoding import STORAGE
from uol.ir.syntax.parser import parse

BATCH, LENGTH, WIDTH = 24, 1536, 64


@pytest.mark.parametrize("target", ["cuda", "hip"])
def test_what_lies_behind_a_mask_is_not_read(target: str) -> None:
    compiled = uol.compile("masked_mean", target, "f32", {"B": BATCH, "L": LENGTH, "D": WIDTH})
    assert "load_vector<4>(x, " in compiled.source
    x = np.random.default_rng(0).standard_normal((BATCH, LENGTH, WIDTH), np.float32)
    every_third = np.arange(BATCH * LENGTH).reshape(BATCH, LENGTH) % 3 == 0
    masks = (every_third, np.ones_like(every_third))
    runs = execute_many([Job(compiled.module, {"x": x, "mask": m}, {}, counted=True, most_blocks=None) for m in masks])
    read = [kind_of(target).observed(run.counts)["read bytes"] for run in runs]
    assert read[1] - read[0] == x.nbytes - x.nbytes * every_third.sum() // every_third.size
    for mask, run in zip(masks, runs, strict=True):
        assert not run.findings
        wanted = (x * mask[..., None]).sum(1, np.float64) / mask.sum(1, keepdims=True)
        np.testing.assert_allclose(run.outputs["y"], wanted, rtol=0, atol=1e-6)


FILLED = """op filled(x: T[N, C, W], at: i32[N]) -> (y: T[N, W], z: T[N, 2*C, W])
    for T in (f64, f32, f16, i64, i32, i16, i8, u8) {
  y[n, w]    = x[n, at[n], w] else T(3)
  z[n, c, w] = select(c < C, x[n, c, w] else T(0), x[n, c - C, w] else T(0))
}"""


@pytest.mark.parametrize("target", ["cuda", "hip"])
def test_what_is_not_there_has_the_type_of_what_is(target: str) -> None:
    """Numbers of short integers are ints in C, and vectors of these are another type."""
    (op,) = parse(FILLED)
    types = ("f64", "f32", "f16", "i64", "i32", "i16", "i8", "u8")
    modules = [uol.compile(op, target, dtype, {"N": 3, "C": 5, "W": 32}).module for dtype in types]
    given = [np.arange(480).reshape(3, 5, 32).astype(STORAGE[dtype]) for dtype in types]
    at = np.array([4, -1, 2], np.int32)
    runs = execute_many([Job(m, {"x": x, "at": at}, shift=n % 2) for n, (m, x) in enumerate(zip(modules, given, strict=True))])
    for x, run in zip(given, runs, strict=True):
        assert not run.findings
        np.testing.assert_array_equal(run.outputs["y"], np.stack([x[0, 4], np.full_like(x[0, 0], 3), x[2, 2]]))
        np.testing.assert_array_equal(run.outputs["z"], np.concatenate([x, x], 1))
