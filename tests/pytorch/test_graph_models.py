"""`torch.compile(model, backend="uol")`: values and gradients beside eager PyTorch, and what was taken."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import uol.pytorch.graph as graph
from uol.conformance.graphs.models import (
    Block,
    Mixer,
    StateSpace,
    cross_entropy,
    gelu,
    norm_residual,
    rms_norm,
    softmax,
    swiglu,
)

Tensor = torch.Tensor


@pytest.fixture(autouse=True)
def _anew() -> Iterator[None]:
    torch._dynamo.reset()
    graph.reset()
    torch.manual_seed(0)
    yield
    torch._dynamo.reset()


def require_near(found: Tensor, wanted: Tensor, name: str, least: float = 1e-6) -> None:
    """Within 2^-16 of the largest value, some hundred roundings of f32, or of `least`, where that is more."""
    assert found.shape == wanted.shape and found.dtype == wanted.dtype, name
    scale = float(wanted.detach().abs().max().clamp_min(least)) if wanted.is_floating_point() else 1.0
    difference = float((found.detach().double() - wanted.detach().double()).abs().max()) if wanted.numel() else 0.0
    assert difference <= 2**-16 * scale, f"{name}: off by {difference} of {scale}"


def in_double(model: Callable[..., Tensor], inputs: Sequence[Any], leaves: Sequence[Tensor], cotangent: Tensor) -> list[Tensor]:
    """The gradients in float64: beside eager's, roundings of either would be judged, which a small gradient may be full of."""
    narrow = [x for x in (*inputs, *leaves) if _is_f32(x)]
    wide: dict[int, Tensor] = {id(x): x.detach().double().requires_grad_(x.requires_grad) for x in narrow}
    given = [wide.get(id(x), x) for x in inputs]
    if not isinstance(model, nn.Module):
        return list(torch.autograd.grad(model(*given), [wide[id(x)] for x in leaves], cotangent.double()))
    state = {name: wide[id(p)] for name, p in model.named_parameters()}
    state |= {name: b.double() if b.is_floating_point() else b for name, b in model.named_buffers()}
    found = torch.func.functional_call(model, state, tuple(given))
    return list(torch.autograd.grad(found, [wide[id(x)] for x in leaves], cotangent.double()))


def _is_f32(x: object) -> bool:
    return isinstance(x, Tensor) and x.dtype == torch.float32


def require_as_eager(model: Callable[..., Tensor], *inputs: Any, share: float = 1.0, train: bool = True) -> graph.Report:
    """Values, and gradients of inputs and parameters; at least this share of the computing nodes in kernels of uol."""
    compiled = torch.compile(model, backend="uol", fullgraph=True, dynamic=False)
    with torch.no_grad():
        require_near(compiled(*inputs), model(*inputs), "the result of inference")
    if train:
        leaves = [x for x in inputs if isinstance(x, Tensor) and x.requires_grad]
        leaves += list(model.parameters()) if isinstance(model, nn.Module) else []
        wanted = model(*inputs)
        cotangent = torch.randn_like(wanted)
        for _ in range(2):  # the first call runs step by step, the second what was written down
            found = compiled(*inputs)
            require_near(found, wanted, "the result")
            gradients = in_double(model, inputs, leaves, cotangent)
            least = 2**-8 * max(float(g.abs().max()) for g in gradients)  # one that is 0, but for roundings, is judged so
            for k, (x, y) in enumerate(zip(torch.autograd.grad(found, leaves, cotangent), gradients, strict=True)):
                require_near(x, y.to(x.dtype), f"gradient {k}", least)
    said = graph.report()
    assert said.share >= share, str(said)
    return said


ROWS, COLUMNS = 48, 20


def leaf(*sizes: int) -> Tensor:
    return torch.randn(*sizes, requires_grad=True)


@pytest.mark.parametrize("model", [gelu, rms_norm, softmax, swiglu, norm_residual, cross_entropy])
def test_what_is_written_out_is_one_text(model: Callable[..., Tensor]) -> None:
    sizes: dict[str, Sequence[int]] = {"w": (COLUMNS,), "b": (COLUMNS,)}
    names = [name for name in model.__annotations__ if name != "return"]
    inputs = [leaf(*sizes.get(name, (ROWS, COLUMNS))) for name in names]
    if model is cross_entropy:
        inputs[1] = torch.randint(0, COLUMNS, (ROWS,))
    said = require_as_eager(model, *inputs)
    inference = next(g for g in said.graphs if g.role == "inference")
    assert len(inference.texts) == (2 if model is cross_entropy else 1), str(said)  # the mean of all rows is another text


class Perceptron(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.norm = nn.Linear(12, 24), nn.Linear(24, 5), nn.LayerNorm(24)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        return F.cross_entropy(self.second(self.norm(F.gelu(self.first(x)))), t)


def test_a_perceptron_with_a_loss() -> None:
    require_as_eager(Perceptron(), torch.randn(40, 12), torch.randint(0, 5, (40,)))


def test_a_block_of_a_language_model() -> None:
    angle = torch.outer(torch.arange(40.0), 10000 ** (-torch.arange(0, 8, 2) / 8)).repeat(1, 2)
    said = require_as_eager(Block(32, 4, 2, 48), leaf(2, 40, 32), angle.cos(), angle.sin())
    assert any("causal_attention_grad" in name for g in said.graphs for name in g.library), str(said)


class Network(nn.Module):
    """Convolutions, one of them grouped, batch norm, pooling, a residual."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 8, 5, stride=2, padding=2, bias=False), nn.Conv2d(8, 8, 3, padding=1, groups=4)
        self.norm, self.out = nn.BatchNorm2d(8), nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(F.relu(self.norm(self.first(x))), 3, 2, 1)
        x = F.relu(self.second(x) + x)
        return self.out(F.avg_pool2d(x, 2).mean((2, 3)))


@pytest.mark.parametrize("mode", ["train", "eval"])
def test_a_network_of_convolutions(mode: str) -> None:
    model, other = Network(), Network()
    other.load_state_dict(model.state_dict())
    model.train(mode == "train"), other.train(mode == "train")
    x = leaf(3, 3, 19, 22)
    require_as_eager(model, x)
    for _ in range(1 + 2 * 2):  # as often as `require_as_eager` has called the model, compiled or not
        other(x)
    for name, wanted in other.state_dict().items():
        if mode == "eval":
            require_near(model.state_dict()[name], wanted, name)


class Words(nn.Module):
    """Places, attention with a mask, a padded embedding."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.places = nn.Embedding(11, 16, padding_idx=0), nn.Embedding(9, 16)
        self.qkv, self.norm = nn.Linear(16, 48), nn.LayerNorm(16)

    def forward(self, at: Tensor) -> Tensor:
        x = self.words(at) + self.places(torch.arange(at.shape[1]))
        q, k, v = (t.unflatten(-1, (2, 8)).transpose(1, 2) for t in self.qkv(self.norm(x)).chunk(3, -1))
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=(at != 0)[:, None, None])
        return x + y.transpose(1, 2).flatten(2)


def test_words_under_a_mask() -> None:
    at = torch.randint(1, 11, (5, 9))
    at[2, 4:] = 0
    said = require_as_eager(Words(), at)
    assert any("attention" in name for g in said.graphs for name in g.library), str(said)


def test_a_state_space() -> None:
    require_as_eager(StateSpace(16, 2, 4), leaf(2, 9, 16))


def test_a_mixer() -> None:
    require_as_eager(Mixer(1, 4, 4, 12, 5), leaf(2, 3, 8, 8))
