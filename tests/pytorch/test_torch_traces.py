"""PyTorch's tracers other than torch.compile: what they recorded is computed anew, on other tensors."""

from __future__ import annotations

import copy
import io
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.fx.experimental.proxy_tensor import make_fx

import uol

pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit")


class Network(nn.Module):
    """An attribute, a number in the place of a tensor, an option by which PyTorch chooses among operators."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = uol.ops.text.softmax(uol.ops.leaky_relu(uol.ops.add(x, 2.0), negative_slope=0.3), dim=0)
        assert isinstance(y, torch.Tensor)
        return y * 2

    def expected(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.leaky_relu(x + 2, 0.3).softmax(0) * 2


def saved_and_loaded(traced: Any) -> Any:
    memory = io.BytesIO()
    torch.jit.save(traced, memory)
    memory.seek(0)
    return torch.jit.load(memory)


def draw() -> torch.Tensor:
    return torch.randn(3, 4)


TRACERS: dict[str, Callable[[nn.Module, torch.Tensor], Callable[[torch.Tensor], torch.Tensor]]] = {
    "jit": lambda network, x: torch.jit.trace(network, x),
    "jit, saved": lambda network, x: saved_and_loaded(torch.jit.trace(network, x)),
    "make_fx": lambda network, x: make_fx(network)(x),
    "export": lambda network, x: torch.export.export(network, (x,)).module(),
}


@pytest.mark.parametrize("tracer", TRACERS)
def test_what_was_traced_is_computed_anew(tracer: str) -> None:
    network = Network()
    traced, x = TRACERS[tracer](network, draw()), draw().requires_grad_()
    found, owed = traced(x), network.expected(x)
    torch.testing.assert_close(found, owed)
    dy = draw()
    torch.testing.assert_close(torch.autograd.grad(found, x, dy), torch.autograd.grad(owed, x, dy))


def test_a_replaced_module_is_traced() -> None:
    plain = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(16, 5), nn.LayerNorm(5)
    ).eval()
    module = copy.deepcopy(plain)
    uol.replace(module)
    traced, x = torch.jit.trace(module, torch.randn(2, 3, 4, 4)), torch.randn(2, 3, 4, 4)
    torch.testing.assert_close(traced(x), plain(x))


def test_a_symbolic_trace_is_told_of_the_others() -> None:
    with pytest.raises(uol.UolError) as raised:
        torch.fx.symbolic_trace(Network())
    assert raised.value.message == "add takes PyTorch tensors, not Proxy(x), 2.0"
    assert raised.value.hint == "torch.export and make_fx trace with tensors"
