"""At infinities, NaN, zeros, subnormals and the largest values operators are as PyTorch's, or the table says why not."""

from __future__ import annotations

from math import inf, nan

import numpy as np
import pytest
import torch
from turns import by_turns

import uol
from uol.conformance import special_values
from uol.conformance.special_values import differences, explained, subjects

FIXED = ("logsumexp", "logcumsumexp", "masked_softmax", "cross_entropy_each", "hypot", "lerp", "kl_div_each")
SAMPLE = 12
"""One operator in so many is for `make test`."""


def unexplained(op: str, kernels: bool = False) -> list[str]:
    return [str(d) for d in differences(op, kernels) if (d.op, d.ours, d.theirs) not in explained()]


@pytest.mark.parametrize("op", by_turns(SAMPLE, subjects()))
def test_an_operator_gives_what_pytorch_gives(op: str) -> None:
    assert not unexplained(op)


@pytest.mark.parametrize("op", FIXED)
def test_so_does_its_kernel(op: str) -> None:
    assert not unexplained(op, kernels=True)


@pytest.mark.soak
@pytest.mark.parametrize("op", subjects())
def test_every_kernel_of_this_machine_does(op: str) -> None:
    assert not unexplained(op, kernels=True)


EXPLAINED = sorted({op for op, _, _ in explained()})


@pytest.mark.parametrize("op", by_turns(SAMPLE, EXPLAINED))
def test_what_is_explained_is_so(op: str) -> None:
    found = {(d.op, d.ours, d.theirs) for d in differences(op)}
    assert {key for key in explained() if key[0] == op} <= found


def test_every_reason_is_one() -> None:
    assert set(EXPLAINED) <= set(subjects())
    assert all(len(reason) > 60 for reason in explained().values())


def test_an_entry_that_is_not_so_fails(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(special_values, "explained", lambda: {("relu", "nan", "number"): "it is not so"})
    assert special_values.main(["--op", "relu"]) == 1
    assert "relu never gives nan where PyTorch gives number: special_values.toml says so" in capsys.readouterr().out


def test_a_difference_that_is_not_explained_fails(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(special_values, "explained", dict)
    assert special_values.main(["--op", "kl_div_each"]) == 1
    assert "kl_div_each gives number, PyTorch nan" in capsys.readouterr().out


ROWS = (
    [-inf, -inf],
    [inf, 0.0],
    [inf, -inf],
    [-inf, 1.0],
    [nan, 0.0],
    [inf, nan],
    [1000.0, 999.0],
    [-1000.0, -1001.0],
    [0.5, 0.5],
)


@pytest.mark.parametrize("name", ["logsumexp", "softmax", "log_softmax", "logcumsumexp"])
@pytest.mark.parametrize("row", ROWS, ids=str)
def test_values_and_gradients_of_exponential_rows(name: str, row: list[float]) -> None:
    """The gradient of a sum of all results, NaN where PyTorch's is."""
    x = torch.tensor([row], dtype=torch.float64)
    ours, theirs = x.clone().requires_grad_(), x.clone().requires_grad_()
    mine, other = getattr(uol.ops.text, name)(ours), getattr(torch, name)(theirs, -1)
    torch.testing.assert_close(mine, other, equal_nan=True)
    (dx,) = torch.autograd.grad(mine.sum(), ours)
    (expected,) = torch.autograd.grad(other.sum(), theirs)
    torch.testing.assert_close(dx, expected, equal_nan=True)


def test_a_query_that_a_bias_hides_every_key_from_gives_0_and_has_a_gradient_of_0() -> None:
    generator = torch.Generator().manual_seed(0)
    q, k, v = (torch.randn(1, 2, 3, 4, dtype=torch.float64, generator=generator) for _ in range(3))
    bias = torch.zeros(2, 3, 3, dtype=torch.float64)
    bias[:, 1] = -inf
    bias[:, 2, 0] = -inf
    mine = [t.clone().requires_grad_() for t in (q, k, v, bias)]
    theirs = [t.clone().requires_grad_() for t in (q, k, v, bias)]
    y = uol.ops.biased_attention(*mine)
    expected = torch.nn.functional.scaled_dot_product_attention(*theirs)
    assert not y[:, :, 1].any()
    torch.testing.assert_close(y, expected)
    dy = torch.randn(y.shape, dtype=torch.float64, generator=generator)
    for ours, other in zip(torch.autograd.grad(y, mine, dy), torch.autograd.grad(expected, theirs, dy), strict=True):
        torch.testing.assert_close(ours, other)


@pytest.mark.parametrize(("a", "b"), [(3.0, 4.0), (inf, nan), (nan, -inf), (inf, inf), (0.0, 0.0), (1e308, 1e308)])
def test_hypot(a: float, b: float) -> None:
    x, z = torch.tensor([a], dtype=torch.float64), torch.tensor([b], dtype=torch.float64)
    assert np.array_equal(uol.ops.hypot(x, z).numpy(), torch.hypot(x, z).numpy(), equal_nan=True)
