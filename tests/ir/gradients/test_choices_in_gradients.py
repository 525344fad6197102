"""Choices in texts of users: what an arm keeps out stays out of the second derivative; what a reduction binds has a range."""

from __future__ import annotations

import torch

import uol

x = torch.tensor([1.5, -0.5, -2.0, 0.25], dtype=torch.float64, requires_grad=True)


def test_a_root_stays_within_its_choice() -> None:
    root = uol.op("""op root_or_square(x: f64[N]) -> (y: f64[N]) {
      a[i] = x[i] * 2
      b[i] = select(a[i] > 0, sqrt(a[i]), a[i] * a[i])
      y[i] = b[i] * a[i]
    }""")
    assert torch.autograd.gradcheck(root, (x,))
    assert torch.autograd.gradgradcheck(root, (x,))


def test_a_sum_within_a_maximum() -> None:
    shifted = uol.op("""op shifted_exp(x: f64[*S, C], b: f64[C]) -> (y: f64[*S, C], m: f64[*S]) where C > 0 {
      m[*s] = max[c](x[*s, c] + b[c])
      y[*s, c] = exp(x[*s, c] + b[c] - m[*s])
    }""")
    b = torch.tensor([0.5, -1.0], dtype=torch.float64, requires_grad=True)
    rows = x.detach().reshape(2, 2).requires_grad_()
    assert torch.autograd.gradcheck(shifted, (rows, b))
    assert torch.autograd.gradgradcheck(shifted, (rows, b))
