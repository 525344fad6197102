"""Running products and log-sum-exps beside PyTorch's, with their gradients: where factors are 0, and at infinities and NaN."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import uol

INF, NAN = float("inf"), float("nan")
ROWS = {
    "numbers": [0.5, -1.0, 3.0, 2.5, 2.5, -7.0],
    "steep": [-900.0, 1.0, 800.0, -5.0, 799.0, 801.0],
    "nothing first": [-INF, -INF, 1.0, 2.0, -INF, 0.0],
    "nothing at all": [-INF] * 6,
    "infinite": [1.0, 2.0, INF, 3.0, 200.0, INF],
    "large, then infinite": [100.0, INF, INF, 3.0, -INF, 0.0],
    "not a number": [1.0, 0.0, 3.0, NAN, 2.0, INF],
}
DTYPES = {torch.float64: 1e-12, torch.float32: 1e-5}


def both(name: str, row: list[float], dtype: torch.dtype, length: int = 6) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Values and gradients of `uol` and of PyTorch, in float64."""
    found: list[list[torch.Tensor]] = []
    dy = torch.from_numpy(np.random.default_rng(0).uniform(0.5, 2, (2, length)))
    for run, kind in ((getattr(uol.ops.text, name), dtype), (lambda x: getattr(x, name)(-1), torch.float64)):
        x = torch.tensor([row, row], dtype=kind).requires_grad_()
        y = run(x)
        (dx,) = torch.autograd.grad(y, x, dy.to(kind))
        found.append([y.detach().double(), dx.double()])
    return list(zip(*found, strict=True))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("row", ROWS)
def test_logcumsumexp_is_pytorchs(row: str, dtype: torch.dtype) -> None:
    (y, wanted), (dx, slope) = both("logcumsumexp", ROWS[row], dtype)
    torch.testing.assert_close(y, wanted, rtol=DTYPES[dtype], atol=DTYPES[dtype], equal_nan=True)
    torch.testing.assert_close(dx, slope, rtol=DTYPES[dtype], atol=DTYPES[dtype], equal_nan=True)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("row", [[0.0], [2.0, 0.0, 3.0], [0.0, 0.0, 5.0, -1.0], [1.5, -2.0, 0.5, 0.0, 7.0, 0.0], [-0.5] * 40])
def test_cumprod_is_pytorchs_where_factors_are_0(row: list[float], dtype: torch.dtype) -> None:
    for found, wanted in both("cumprod", row, dtype, len(row)):
        torch.testing.assert_close(found, wanted, rtol=DTYPES[dtype], atol=DTYPES[dtype])


@pytest.mark.parametrize("name", ["cumprod", "logcumsumexp"])
def test_second_derivatives_are_pytorchs(name: str) -> None:
    rng = np.random.default_rng(3)
    x, dy, u = (torch.from_numpy(rng.standard_normal((3, 7))) for _ in range(3))
    if name == "cumprod":
        x[0, 2] = x[1, 0] = x[1, 5] = 0
    found = []
    for run in (getattr(uol.ops.text, name), lambda t: getattr(t, name)(-1)):
        at, cotangent = x.clone().requires_grad_(), dy.clone().requires_grad_()
        (dx,) = torch.autograd.grad(run(at), at, cotangent, create_graph=True)
        found.append(torch.autograd.grad(dx, (at, cotangent), u))
    for mine, theirs in zip(*found, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-9, atol=1e-11)
