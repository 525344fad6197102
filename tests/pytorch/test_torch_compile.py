"""Modules of several operators under torch.compile, in one graph; and PyTorch's determinism flag."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest
import torch
import torch._inductor.config
from torch import nn

import uol


class Network(nn.Module):
    """Operators with attributes, several results, broadcasting, and PyTorch's own between them."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.weight, self.bias = nn.Parameter(torch.randn(6, 4)), nn.Parameter(torch.randn(6))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        hidden = uol.ops.leaky_relu(uol.ops.text.linear(x, self.weight, self.bias), negative_slope=0.2)
        normal = uol.ops.text.layer_norm(hidden, self.bias.cos(), self.bias, eps=1e-3)
        y = uol.ops.add(uol.ops.text.softmax(normal), hidden)
        assert isinstance(y, torch.Tensor)
        return y.tanh()

    def expected(self, x: torch.Tensor) -> torch.Tensor:
        hidden = nn.functional.leaky_relu(nn.functional.linear(x, self.weight, self.bias), 0.2)
        normal = nn.functional.layer_norm(hidden, (6,), self.bias.cos(), self.bias, 1e-3)
        return (normal.softmax(-1) + hidden).tanh()


BACKENDS = ["aot_eager", pytest.param("inductor", marks=pytest.mark.skipif(shutil.which("g++") is None, reason="no g++"))]


@pytest.mark.parametrize("backend", BACKENDS)
def test_one_graph_forward_and_backward_at_any_size(backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    torch._dynamo.reset()
    # Headers that are compiled beforehand pay where many kernels follow.
    monkeypatch.setattr("torch._inductor.config.cpp_cache_precompile_headers", False, raising=False)
    network = Network()
    compiled = torch.compile(network, backend=backend, fullgraph=True, dynamic=True)
    for rows in (3, 5):
        x = torch.linspace(-1, 1, rows * 4).reshape(rows, 4).requires_grad_()
        found, wanted = compiled(x), network.expected(x)
        torch.testing.assert_close(found, wanted)
        leaves = (x, network.weight, network.bias)
        for a, b in zip(torch.autograd.grad(found.sum(), leaves), torch.autograd.grad(wanted.sum(), leaves), strict=True):
            torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


@pytest.fixture
def deterministic() -> Iterator[None]:
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(False)


@pytest.mark.usefixtures("deterministic")
def test_the_same_bits_each_time_and_under_the_flag() -> None:
    """CPU kernels give the same bits at each call: nothing has to be switched, and nothing is refused."""
    table, at = torch.randn(7, 33).requires_grad_(), torch.arange(5000) % 7
    x, w = torch.randn(2, 3, 24, 24).requires_grad_(), torch.randn(4, 3, 3, 3).requires_grad_()

    def bits() -> list[torch.Tensor]:
        picked, image = uol.ops.text.embedding(table, at), uol.ops.text.conv2d(x, w, pad=1)
        assert isinstance(picked, torch.Tensor) and isinstance(image, torch.Tensor)
        total = uol.ops.text.sum(x.detach())
        assert isinstance(total, torch.Tensor)
        return [*torch.autograd.grad(picked.sin().sum() + image.sin().sum(), (table, x, w)), total]

    first = bits()
    for _ in range(5):
        assert all(torch.equal(a, b) for a, b in zip(first, bits(), strict=True))
