"""uol.ops under torch.autocast: which type an operator runs in, and that gradients come back in the inputs' types."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

import uol
from uol.operators.registry import catalogue
from uol.ops.autocast import derived_policy, policy_of, table

X = torch.linspace(-2, 3, 12).reshape(3, 4)
W = torch.linspace(-1, 1, 8).reshape(2, 4)
B = torch.tensor([0.5, -0.25])

PYTORCH = {
    "low": ["linear", "matmul", "batched_matmul", "matrix_vector", "conv1d", "conv2d", "conv3d", "attention"],
    "f32": [
        *("exp", "expm1", "log", "log10", "log2", "log1p", "pow", "reciprocal", "rsqrt", "tan", "softplus"),
        *("acos", "asin", "cosh", "sinh", "erfinv"),
        *("layer_norm", "group_norm", "cosine_similarity", "sum", "prod", "cumsum", "cumprod", "softmax", "log_softmax"),
        *("logsumexp", "vector_norm", "cross_entropy", "nll_loss", "mse_loss", "l1_loss", "smooth_l1_loss", "kl_div"),
    ],
    "widest": [
        *("relu", "sigmoid", "tanh", "gelu", "silu", "add", "mul", "addcmul", "addcdiv", "dot", "bilinear", "mean"),
        *("atan2", "lgamma"),
    ],
}  # fmt: skip


@pytest.mark.parametrize(("policy", "names"), PYTORCH.items())
def test_the_policy_is_pytorchs(policy: str, names: list[str]) -> None:
    found = {name: policy_of(op, catalogue().get) for name in names if (op := catalogue().get(name)) is not None}
    assert found == dict.fromkeys(names, policy)


def test_the_table_holds_only_what_the_text_does_not_say() -> None:
    for name, policy in table().items():
        op = catalogue().get(name)
        assert op is not None
        assert derived_policy(op, catalogue().get) != policy


CALLS: dict[str, tuple[Callable[..., Any], torch.dtype]] = {
    "linear": (lambda: uol.ops.text.linear(X, W, B), torch.bfloat16),
    "softmax of bf16": (lambda: uol.ops.text.softmax(X.bfloat16()), torch.float32),
    "relu of bf16": (lambda: uol.ops.relu(X.bfloat16()), torch.bfloat16),
    "widest": (lambda: uol.ops.add(X.bfloat16(), X), torch.float32),
    "f64 stays": (lambda: uol.ops.text.linear(X.double(), W.double(), B.double()), torch.float64),
    "layers": (lambda: uol.ops.text.softmax(uol.ops.relu(uol.ops.text.linear(X, W, B))), torch.float32),
}


@pytest.mark.parametrize("name", CALLS)
def test_an_operator_runs_in_the_type_of_its_policy(name: str) -> None:
    call, dtype = CALLS[name]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert call().dtype is dtype
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=False):
        if name == "linear":
            assert call().dtype is torch.float32


def loss(x: torch.Tensor, w: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y = uol.ops.text.softmax(uol.ops.relu(uol.ops.text.linear(x, w, b)))
        assert isinstance(y, torch.Tensor)
        return (y * y).sum()


def expected(x: torch.Tensor, w: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y = torch.softmax(torch.relu(torch.nn.functional.linear(x, w, b)).float(), -1)
        return (y * y).sum()


def gradients(function: Callable[..., torch.Tensor]) -> tuple[torch.Tensor, ...]:
    leaves = [t.clone().requires_grad_() for t in (X, W, B)]
    return torch.autograd.grad(function(*leaves), leaves)


@pytest.mark.parametrize(
    "way",
    [
        lambda: gradients(loss),
        lambda: gradients(torch.compile(loss, backend="aot_eager", fullgraph=True)),
        lambda: torch.func.grad(loss, argnums=(0, 1, 2))(X, W, B),
    ],
    ids=["backward", "torch.compile", "torch.func"],
)
def test_gradients_come_back_in_the_types_of_the_inputs(way: Callable[[], tuple[torch.Tensor, ...]]) -> None:
    for found, wanted in zip(way(), gradients(expected), strict=True):
        assert found.dtype is torch.float32
        torch.testing.assert_close(found, wanted, rtol=1.6e-2, atol=1e-2)


def test_a_gradient_within_the_autocast_keeps_its_types() -> None:
    x = X.clone().requires_grad_()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y = uol.ops.text.linear(x, W, B)
        assert isinstance(y, torch.Tensor)
        y.sum().backward()
    assert x.grad is not None and x.grad.dtype is torch.float32
    torch.testing.assert_close(x.grad, W.sum(0).expand(3, 4), rtol=1e-2, atol=1e-2)


def test_an_operator_of_a_user_gets_the_policy_of_its_text() -> None:
    own = uol.op(
        "op own_product(a: T[M, K], b: T[K, N]) -> (y: T[M, N]) for T in (f32, bf16) {"
        "  y[m, n] = T(sum[k](acc(a[m, k]) * acc(b[k, n])))"
        "}"
    )
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = own(X, X.T)
    assert isinstance(found, torch.Tensor)
    assert found.dtype is torch.bfloat16
