"""Choices in texts of users: what an arm keeps out stays out of the second derivative; what a reduction binds has a range."""

from __future__ import annotations

import pytest
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


def test_the_gradient_of_an_else_that_reads() -> None:
    pairs = uol.op("""op pairs_or_last(x: f64[N], z: f64[M], at: i64[M]) -> (y: f64[M]) {
      y[m] = (x[at[m]] else (x[at[m] - 1] else z[m] * z[m])) * z[m]
    }""")
    at = torch.tensor([0, 3, 4, 5, -1])
    z = torch.linspace(-1, 2, 5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda *tensors: pairs(*tensors, at), (x, z))
    assert torch.autograd.gradgradcheck(lambda *tensors: pairs(*tensors, at), (x, z))


@pytest.mark.parametrize(
    ("results", "body"),
    [
        ("c: f64[N], y: f64[N]", "c[i] = sum[j <= i](x[j] * x[j])\n y[i] = c[N - 1 - i] * x[i]"),
        ("c: f64[N], y: f64[N]", "c[i] = sum[j < i](x[j])\n y[i] = sum[j > i](c[j] * c[i])"),
        ("m: f64[N], y: f64[N]", "m[i] = max[j > i - 3, j <= i](x[j] * x[j])\n y[i] = sum[j >= i](m[j] * x[j])"),
        ("c: f64[N], d: f64[N], y: f64[N]", "c[i] = min[j >= i](x[j])\n d[i] = max[j <= i](c[j])\n y[i] = d[i] * x[i]"),
    ],
)
def test_results_that_later_statements_read(results: str, body: str) -> None:
    chain = uol.op(f"op chain_{len(body)}_{len(results)}(x: f64[N]) -> ({results}) {{ {body} }}")
    assert torch.autograd.gradcheck(chain, (x,))
    assert torch.autograd.gradgradcheck(chain, (x,))


@pytest.mark.parametrize("window", ["j > i - w, j <= i", "j > i - w, j < i + w"])
def test_the_gradient_of_a_running_maximum_over_any_window(window: str) -> None:
    name = f"running_max_{len(window)}"
    running = uol.op(f"op {name}(x: f64[N]; w: int = 2) -> (y: f64[N]) where w > 0 {{ y[i] = max[{window}](x[j]) }}")
    assert torch.autograd.gradcheck(running, (x,))
    assert torch.autograd.gradcheck(lambda t: running(t, w=1), (x,))


@pytest.mark.parametrize(
    "body",
    [
        "y[i, j] = exp(x[i, j] - max[k](x[i, k])) / sum[l](exp(x[i, l] - max[k](x[i, k])))",
        "y[i, j] = x[i, j] - (log(sum[l](exp(x[i, l] - max[k](x[i, k])))) + max[k](x[i, k]))",
        "y[i, j] = sum[l](x[i, l] * max[k](x[i, k])) * x[i, j] + min[l](x[i, l])",
        "y[i, j] = sum[l](exp(x[i, l] * max[k](x[i, k] * x[i, l]))) + max[k](x[i, k]) * x[i, j]",
    ],
)
def test_reductions_within_one_of_several(body: str) -> None:
    number = sum(map(ord, body))
    rows = uol.op(f"op rows_{number}(x: f64[N, M]) -> (y: f64[N, M]) where M > 0 {{ {body} }}")
    values = torch.tensor([[1.5, -0.5, 0.25], [0.5, 0.75, -1.0]], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(rows, (values,))
    assert torch.autograd.gradgradcheck(rows, (values,))
