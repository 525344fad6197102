"""`uol.enabled`: unmodified models give PyTorch's values and gradients, by kernels of `uol`; the report says what was left."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint
from turns import by_turns

import uol
from uol.conformance.graphs.models import Block, Mixer, StateSpace
from uol.pytorch.eager.report import Report


@pytest.fixture(autouse=True)
def _anew() -> Iterator[None]:
    torch.manual_seed(0)
    yield
    assert not torch._C._len_torch_function_stack()  # the mode is left, whatever happened


class Bottleneck(nn.Module):
    """As a ResNet's: it writes over what it has."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 4, 3, padding=1, bias=False), nn.Conv2d(4, 3, 1, bias=False)
        self.norms = nn.ModuleList([nn.BatchNorm2d(4), nn.BatchNorm2d(3)])
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        y = self.relu(self.norms[0](self.first(x)))
        y = self.norms[1](self.second(y))
        y += x
        return F.max_pool2d(self.relu(y), 2)


def language_block() -> tuple[nn.Module, tuple[Tensor, ...]]:
    angle = torch.outer(torch.arange(6.0), 10000 ** (-torch.arange(0, 4, 2) / 4)).repeat(1, 2)
    return Block(8, 2, 1, 12), (torch.randn(2, 6, 8), angle.cos(), angle.sin())


def encoder() -> tuple[nn.Module, tuple[Tensor, ...]]:
    layer = nn.TransformerEncoderLayer(8, 2, 12, dropout=0.0, activation="gelu", batch_first=True, norm_first=True)
    return layer, (torch.randn(2, 5, 8),)


MODELS: dict[str, Callable[[], tuple[nn.Module, tuple[Tensor, ...]]]] = {
    "resnet": lambda: (Bottleneck(), (torch.randn(2, 3, 6, 6),)),
    "vit": encoder,
    "llama": language_block,
    "mamba": lambda: (StateSpace(8, 2, 4), (torch.randn(2, 5, 8),)),
    "mixer": lambda: (Mixer(1, 4, 4, 8, 5), (torch.randn(2, 3, 8, 8),)),
}


def results(model: nn.Module, inputs: tuple[Tensor, ...]) -> list[Tensor]:
    """Value, gradients of the parameters and of the input, buffers."""
    first = inputs[0].clone().requires_grad_()
    y = model(first, *inputs[1:])
    y.backward(torch.linspace(-1, 1, y.numel(), dtype=y.dtype).reshape(y.shape))
    found = [y.detach(), first.grad, *(p.grad for p in model.parameters()), *model.buffers()]
    model.zero_grad()
    return [x for x in found if x is not None]


@pytest.mark.parametrize(("name", "dtype"), by_turns(2, list(MODELS), [torch.float64, torch.float32]))
def test_a_model_is_as_in_eager_mode(name: str, dtype: torch.dtype) -> None:
    model, inputs = MODELS[name]()
    model, inputs = model.to(dtype), tuple(x.to(dtype) for x in inputs)
    state = {key: value.clone() for key, value in model.state_dict().items()}
    wanted = [x.clone() for x in results(model, inputs)]
    model.load_state_dict(state)
    with uol.enabled() as report:
        found = results(model, inputs)
    for x, y in zip(found, wanted, strict=True):
        torch.testing.assert_close(x, y)
    assert report.taken and not report.left, str(report)


def test_a_fault_of_an_operator_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    from uol.pytorch.eager.faces import faces

    face = faces()[F.silu]
    monkeypatch.setitem(face.__dict__, "function", lambda x, inplace: x)
    with uol.enabled():
        assert F.silu(torch.ones(3)).equal(torch.ones(3))
    assert not F.silu(torch.ones(3)).equal(torch.ones(3))


CALLS: dict[str, Callable[[Tensor], Any]] = {
    "operators on the left and on the right": lambda x: (1 - x) / (2 + x) + 2**x - x**2 + (x > 0) * (1 / (3 + x)),
    "methods": lambda x: x.softmax(-1) + x.where(x > 0, -x) + x.clamp(min=0).mean(-1, keepdim=True),
    "a softmax whose type is third": lambda x: torch.softmax(x, -1, torch.float64),
    "lists": lambda x: torch.cat([x, x.exp()], 1).sum() + torch.einsum("ij,kj->ik", x, x).sum(),
    "a method that writes": lambda x: x.clone().mul_(x).add_(1).sigmoid_(),
    "an activation that writes": lambda x: F.silu(x * 2, inplace=True),
    "functions of two orders": lambda x: torch.batch_norm(x, None, None, None, None, True, 0.1, 1e-5, False),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_call_is_as_in_eager_mode(name: str) -> None:
    x = torch.rand(4, 4, requires_grad=True)
    wanted = CALLS[name](x)
    slope = torch.autograd.grad(wanted.sum(), x)[0]
    with uol.enabled():
        found = CALLS[name](x)
        torch.testing.assert_close(torch.autograd.grad(found.sum(), x)[0], slope)
    torch.testing.assert_close(found, wanted)


def test_operators_of_bits() -> None:
    """On the left, on the right and over their first argument."""

    def bits(x: Tensor, y: Tensor) -> list[Tensor]:
        z = x + 0
        z &= 13
        z |= y
        z <<= 1
        z >>= y
        z ^= x
        return [x & y, x | 6, 6 ^ x, ~x, ~(x > 1), (x > 1) & (y > 1), x << y, x >> 1, 3 << y, 1 << 40 >> y, x.bitwise_and(y), z]

    x, y = torch.arange(-8, 8), torch.arange(-2, 30, 2)
    wanted = bits(x, y)
    with uol.enabled() as report:
        found = bits(x, y)
        assert not report.left, str(report)
    for a, b in zip(found, wanted, strict=True):
        assert torch.equal(a, b) and a.dtype == b.dtype


def test_the_report_names_what_was_left_and_why() -> None:
    x = torch.rand(4, 4)
    with uol.enabled() as report:
        torch.add(x, x, out=torch.empty(4, 4))
        F.dropout(x)
        torch.linalg.det(x)
        x[0], x.t(), torch.zeros(3), x.shape  # which compute nothing
        torch.relu(x)
    assert report.taken == {"relu": 1}
    assert report.left["add", "out= is given"] == 1
    assert report.left["dropout", "draws from PyTorch's random numbers"] == 1
    assert report.left.total() == 3 and "det" in str(report), str(report)


COPIES: dict[str, Callable[[Tensor], Tensor]] = {
    "a clone": lambda x: x.clone(),
    "a clone of a view": lambda x: torch.clone(x.t()),
    "a clone with gaps": lambda x: x[:, ::2].clone(),
    "a clone of what repeats": lambda x: x[:1].expand(3, 4).clone(),
    "a clone in rows": lambda x: x.t().clone(memory_format=torch.contiguous_format),
    "rows": lambda x: x.t().contiguous(),
    "a shape": lambda x: x.t().reshape(-1),
    "a shape by a tuple, with a size left out": lambda x: torch.reshape(x.t(), (2, -1)),
    "a shape by name": lambda x: x.t().reshape(shape=(2, 6)),
    "nothing": lambda x: x[:0].clone(),
}


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.int64, torch.bool])
@pytest.mark.parametrize("name", COPIES)
def test_copies_are_as_pytorchs(name: str, dtype: torch.dtype) -> None:
    x = (torch.rand(3, 4) * 9).to(dtype).requires_grad_(dtype.is_floating_point)
    wanted = COPIES[name](x)
    with uol.enabled() as report:
        found = COPIES[name](x)
    assert report.taken.total() == report.calls == 1, str(report)
    assert found.equal(wanted) and found.stride() == wanted.stride() and found.requires_grad == wanted.requires_grad
    if dtype.is_floating_point:
        weights = torch.arange(found.numel()).reshape(found.shape).to(dtype)
        slopes = [torch.autograd.grad(y, x, weights)[0] for y in (found, wanted)]
        assert slopes[0].equal(slopes[1])


def test_what_gives_a_view_is_no_copy() -> None:
    x = torch.rand(3, 4)
    with uol.enabled() as report:
        found = [x.contiguous(), x.reshape(2, -1), x.t().reshape(4, 3), x.t().reshape(2, 2, 3)]
    assert all(y.data_ptr() == x.data_ptr() for y in found) and report.calls == 0, str(report)


def test_a_refused_call_is_pytorchs() -> None:
    x = torch.rand(3, dtype=torch.complex64)
    with uol.enabled() as report:
        assert torch.equal(x + x, 2 * x)
    assert not report.taken and len(report.left) == 2
    with uol.enabled(), pytest.raises(RuntimeError, match="must match"):
        torch.rand(2) + torch.rand(3)


def test_blocks_within_blocks_and_other_threads() -> None:
    x, other = torch.rand(3), Report()

    def elsewhere() -> None:
        x.exp()

    with uol.enabled() as outer:
        with uol.enabled() as inner:
            x.exp()
        x.exp()
        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()
    assert (outer.taken["exp"], inner.taken["exp"], other.calls) == (2, 1, 0)


def test_checkpointed_layers_are_computed_again_as_they_were() -> None:
    model, x = nn.Sequential(nn.Linear(3, 4), nn.GELU(), nn.Linear(4, 3)), torch.randn(5, 3, requires_grad=True)
    wanted = torch.autograd.grad(model(x).sum(), x)[0]
    with uol.enabled() as report:
        y = checkpoint(model, x, use_reentrant=False)
        y.sum().backward()
    torch.testing.assert_close(x.grad, wanted)
    assert report.taken["gelu"] == 2


def test_autocast_gives_pytorchs_types() -> None:
    model, x = nn.Sequential(nn.Linear(8, 8), nn.LayerNorm(8), nn.Softmax(-1)), torch.randn(4, 8)
    with torch.autocast("cpu", torch.bfloat16):
        low = x.bfloat16()
        wanted = [*[layer(x) for layer in model], low.exp()]
        loss = F.mse_loss(wanted[0], x)
        with uol.enabled() as report:
            found = [*[layer(x) for layer in model], low.exp()]
            torch.testing.assert_close(F.mse_loss(found[0], x), loss, rtol=2**-7, atol=0)
    for y, z in zip(found, wanted, strict=True):
        assert y.dtype == z.dtype
        torch.testing.assert_close(y, z)
    assert report.taken["linear"] == 1, str(report)


def test_inference_mode_and_a_compiled_function() -> None:
    x = torch.rand(4, 4)
    with uol.enabled() as report, torch.inference_mode():
        assert x.softmax(-1).is_inference()
    assert report.share == 1
    with uol.enabled():
        compiled = torch.compile(lambda x: x.softmax(-1) * 2, backend="eager", fullgraph=True)
        torch.testing.assert_close(compiled(x), x.softmax(-1) * 2)
