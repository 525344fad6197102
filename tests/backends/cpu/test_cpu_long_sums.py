"""Long sums of products are summed in blocks: in f32 their error stays far below that of one number after another."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from uol.ops import text as ops

K = 1 << 13


def one_after_another(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The sum over the last axis of `a` and the first of `b`, each step rounded to f32."""
    total = np.zeros((a.shape[0], b.shape[1]), np.float32)
    for k in range(a.shape[1]):
        total += a[:, k, None] * b[None, k]
    return total


@pytest.mark.parametrize(("rows", "columns"), [(24, 256), (64, 96)], ids=["tiles", "panels"])
def test_a_long_sum_has_the_error_of_blocks(rows: int, columns: int) -> None:
    generator = np.random.default_rng(0)
    a, b = (generator.uniform(0.5, 1.5, shape).astype(np.float32) for shape in ((rows, K), (K, columns)))
    exact = a.astype(np.float64) @ b.astype(np.float64)
    ours = ops.matmul(torch.from_numpy(a), torch.from_numpy(b)).numpy()
    errors = [np.sqrt(np.mean((found - exact) ** 2)) for found in (ours, one_after_another(a, b))]
    assert errors[0] < errors[1] / 5
