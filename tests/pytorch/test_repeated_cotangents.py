"""Gradients that only repeat a cotangent are views of it, whatever else PyTorch asks of a gradient."""

from __future__ import annotations

import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck

import uol
from uol.ir import parse
from uol.pytorch.repeated import repeated

SPREAD = uol.op("op spread_total(x: T[N, *S, C]) -> (y: T[N, C]) for T in (f64, f32) { y[n, c] = sum[*s](x[n, *s, c]) }")


def test_cotangents_are_not_copied() -> None:
    a, b, dy = (torch.ones(4, 5, requires_grad=True) for _ in range(3))
    da, db = torch.autograd.grad(uol.ops.add(a, b), (a, b), dy)
    assert da.data_ptr() == db.data_ptr() == dy.data_ptr()
    (dx,) = torch.autograd.grad(uol.ops.text.sum(a), a, row := torch.arange(4.0))
    assert dx.data_ptr() == row.data_ptr()
    assert dx.stride() == (1, 0)
    assert torch.equal(dx, row[:, None].expand(4, 5))


@pytest.mark.parametrize("shape", [(3, 4), (3, 2, 4), (3, 2, 0, 4), (3, 2, 5, 4)])
def test_a_pack_takes_the_other_dims(shape: tuple[int, ...]) -> None:
    x = torch.randn(shape, dtype=torch.float64, requires_grad=True)
    dy = torch.randn(shape[0], shape[-1], dtype=torch.float64)
    (dx,) = torch.autograd.grad(SPREAD(x), x, dy)
    z = x.detach().requires_grad_()
    (dz,) = torch.autograd.grad(z.flatten(1, -2).sum(1) if len(shape) > 2 else z * 1, z, dy)
    assert torch.equal(dx, dz)


def test_what_was_broadcast_is_summed() -> None:
    a, b = torch.ones(3, requires_grad=True), torch.ones(4, 3, requires_grad=True)
    da, db = torch.autograd.grad(uol.ops.add(a, b), (a, b), torch.ones(4, 3))
    assert torch.equal(da, torch.full((3,), 4.0))
    assert torch.equal(db, torch.ones(4, 3))


def test_derivatives_of_every_kind() -> None:
    x = torch.randn(3, 4, dtype=torch.float64, requires_grad=True)

    def function(x: torch.Tensor) -> torch.Tensor:
        return uol.ops.mul(uol.ops.text.sum(x)[:, None], uol.ops.add(x, x))

    assert gradcheck(function, x)
    assert gradgradcheck(function, x)
    expected = torch.func.grad(lambda x: (x.sum(1, keepdim=True) * 2 * x).sum())(x.detach())
    torch.testing.assert_close(torch.func.grad(lambda x: function(x).sum())(x.detach()), expected)
    rows = torch.func.vmap(torch.func.grad(lambda row: uol.ops.text.sum(row[None]).sum()))(x.detach())
    assert torch.equal(rows, torch.ones_like(rows))


def test_a_leaf_s_gradient_is_its_own() -> None:
    """What is added to later is no view of what PyTorch was given."""
    a, b, dy = (torch.ones(4, requires_grad=True) for _ in range(3))
    uol.ops.add(a, b).backward(dy.detach())
    assert a.grad is not None
    a.grad += 1
    assert torch.equal(dy, torch.ones(4))
    assert torch.equal(b.grad, torch.ones(4))


@pytest.mark.parametrize(
    "text",
    [
        "op f(dy: f32[N]) -> (dx: f32[N]) { dx[n] = -dy[n] }",
        "op f(dy: f32[N, M]) -> (dx: f32[M, N]) { dx[m, n] = dy[n, m] }",
        "op f(dy: f32[N]) -> (dx: f32[N]) { dx[n] = dy[n + 1] else 0 }",
        "op f(dy: f32[N]) -> (dx: f32[N], dz: f32[N]) { dx[n] = dy[n]\n dz[n] = 2*dy[n] }",
    ],
)
def test_what_is_computed(text: str) -> None:
    (op,) = parse(text)
    assert repeated(op) is None
