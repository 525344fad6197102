"""Kernels of one operator are not compiled into one function: what one stores, the next one reads."""

from __future__ import annotations

import numpy as np
import pytest

import uol

TEXT = """
op scatter_then_double(x: T[N, D], at: i64[N]; places: int) -> (y: T[places, D]) for T in (f64, f32) where places >= 0 {
  a[at[n], d] += x[n, d]
  y[g, d]     = a[g, d] + a[g, d]
}
"""


@pytest.mark.parametrize(("places", "columns"), [(7, 17), (1, 1), (33, 5)])
def test_a_kernel_reads_what_the_one_before_it_stored(places: int, columns: int) -> None:
    uol.op(TEXT)
    kernel = uol.compile("scatter_then_double", "cpu", "f64", {"N": 65, "D": columns}, {"places": places})
    rng = np.random.default_rng(places)
    x, at = rng.integers(-9, 9, (65, columns)).astype(np.float64), rng.integers(-1, places + 1, 65)
    expected = np.zeros((places, columns))
    inside = (at >= 0) & (at < places)
    np.add.at(expected, at[inside], 2 * x[inside])
    assert np.array_equal(kernel(x, at), expected)
