"""Truths are compared as any values are."""

from __future__ import annotations

import numpy as np
import pytest

import uol


@pytest.mark.parametrize(("value", "expected"), [("x[n] == y[n]", np.equal), ("x[n] != y[n]", np.not_equal)])
@pytest.mark.parametrize("count", [1, 4, 67])
def test_two_truths_are_compared(value: str, expected: np.ufunc, count: int) -> None:
    name = f"truths_{expected.__name__}"
    uol.op(f"op {name}(x: bool[N], y: bool[N]) -> (z: bool[N], c: i32[]) {{ z[n] = {value}\n c[] = sum[n](i32(z[n])) }}")
    rng = np.random.default_rng(count)
    x, y = rng.random(count) > 0.5, rng.random(count) > 0.5
    z, every = uol.compile(name, target="cpu", dims={"N": count})(x, y)
    np.testing.assert_array_equal(z, expected(x, y))
    assert every == expected(x, y).sum()
