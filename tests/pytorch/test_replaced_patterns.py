"""`uol.replace` finds norms that are written out, takes functions of a module's own `forward`, and names what it left."""

from __future__ import annotations

import copy
import io
import pickle
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from turns import by_turns

import uol
from uol.conformance.graphs.models import Block, LanguageModel, StateSpace
from uol.pytorch.layers import own_forward
from uol.pytorch.layers.replace import restore


class LlamaRMSNorm(nn.Module):
    def __init__(self, width: int, eps: float = 1e-6) -> None:
        super().__init__()
        self.weight, self.variance_epsilon = nn.Parameter(torch.rand(width)), eps

    def forward(self, x: Tensor) -> Tensor:
        dtype = x.dtype
        x = x.to(torch.float32)
        variance = x.pow(2).mean(-1, keepdim=True)
        x = x * torch.rsqrt(variance + self.variance_epsilon)
        return self.weight * x.to(dtype)


class GemmaNorm(LlamaRMSNorm):
    """Almost one: its scale is 1 + w."""

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6) * (1 + self.weight)


class OverOtherRows(LlamaRMSNorm):
    """Dim 1 is the last one of matrices alone."""

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.rsqrt(x.pow(2).mean(1, keepdim=True) + 1e-6) * self.weight


class Unit(nn.Module):
    """With an option, a function of `torch` by its own name, a function within a function, and a call of its parent."""

    def __init__(self) -> None:
        super().__init__()
        self.norm, self.into = LlamaRMSNorm(8), nn.Linear(8, 24)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        assert super().extra_repr() == ""
        q, k, v = self.into(self.norm(x))[:, None].chunk(3, -1)
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        return (lambda z: F.silu(z, inplace=True) + torch.softmax(y, -1) * torch.cumsum(y, -1))(y * 2)[:, 0]


class Silu(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return F.silu(x)


def language_block() -> tuple[nn.Module, tuple[Tensor, ...]]:
    angle = torch.outer(torch.arange(6.0), 10000 ** (-torch.arange(0, 4, 2) / 4)).repeat(1, 2)
    return Block(8, 2, 1, 12), (torch.randn(2, 6, 8), angle.cos(), angle.sin())


MODELS: dict[str, Callable[[], tuple[nn.Module, tuple[Tensor, ...]]]] = {
    "llama": language_block,
    "mamba": lambda: (StateSpace(8, 2, 4), (torch.randn(2, 5, 8),)),
    "a norm": lambda: (LlamaRMSNorm(8), (torch.randn(3, 5, 8),)),
    "almost a norm": lambda: (GemmaNorm(8), (torch.randn(3, 5, 8),)),
    "over other rows": lambda: (OverOtherRows(8), (torch.randn(3, 8, 8),)),
    "an activation": lambda: (Silu(), (torch.randn(3, 8),)),
    "a unit": lambda: (Unit(), (torch.randn(2, 5, 8),)),
    "a unit with a mask": lambda: (Unit(), (torch.randn(2, 5, 8), torch.ones(5, 5, dtype=torch.bool).tril())),
}


def results(model: nn.Module, inputs: tuple[Tensor, ...]) -> list[Tensor]:
    """Value, and gradients of the parameters and of the input."""
    x = inputs[0].clone().requires_grad_()
    y = model(x, *inputs[1:])
    return [y, *torch.autograd.grad(y, [x, *model.parameters()], torch.linspace(-1, 1, y.numel()).to(y).reshape(y.shape))]


@pytest.mark.parametrize(("name", "dtype"), by_turns(2, list(MODELS), [torch.float32, torch.float64, torch.bfloat16]))
def test_a_model_is_as_it_was(name: str, dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    model, inputs = MODELS[name]()
    model, inputs = model.to(dtype), tuple(x.to(dtype) if x.is_floating_point() else x for x in inputs)
    wanted, own = results(model, inputs), copy.deepcopy(model)
    uol.replace(own)
    assert list(own.state_dict()) == list(model.state_dict()) and isinstance(own, type(model))
    loose = {"rtol": 5e-2, "atol": 5e-2} if dtype is torch.bfloat16 else {}
    for x, y in zip(results(own, inputs), wanted, strict=True):
        torch.testing.assert_close(x, y, **loose)
    restore(own)
    assert type(own) is type(model)
    for x, y in zip(results(own, inputs), wanted, strict=True):
        assert x.equal(y)


def test_the_report_names_functions_that_are_taken_and_left() -> None:
    done = uol.replace(LanguageModel(1, 8, 2, 1, 12, 6, 10))
    assert done.functions == {"": ("rms_norm",), "blocks.0": ("rms_norm", "rotary", "scaled_dot_product_attention", "silu")}
    assert not done.left_functions
    assert "blocks.0: its forward calls rms_norm, rotary, scaled_dot_product_attention, silu of uol" in str(done)
    done = uol.replace(Unit())
    assert done.swapped == {"norm": "rms_norm", "into": "Linear"}
    assert set(done.functions[""]) == {"scaled_dot_product_attention", "silu", "softmax"}
    assert done.left_functions[""] == ("cumsum",)


@pytest.mark.parametrize("kind", [GemmaNorm, OverOtherRows])
def test_what_is_almost_a_norm_is_left_and_named(kind: type[LlamaRMSNorm]) -> None:
    done = uol.replace(nn.Sequential(kind(8)))
    assert not done.swapped and done.left == {"0": f"uol has no layer in the place of {kind.__name__}"}
    assert done.left_functions == {"0": ("rsqrt",)}


def test_kernels_of_uol_are_called(monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[str] = []
    result_of = own_forward.result_of
    monkeypatch.setattr(own_forward, "result_of", lambda face, *given: (called.append(face.name), result_of(face, *given))[1])
    model, inputs = language_block()
    uol.replace(model)
    model(*inputs)
    assert called == ["rms_norm", "scaled_dot_product_attention", "rms_norm", "silu"]
    called.clear()
    norm = LlamaRMSNorm(8)
    uol.replace(norm)
    norm(torch.rand(3, 8))
    (
        norm(x=torch.rand(3, 8)),
        norm(torch.rand(3, 8, dtype=torch.float64)),
        norm(torch.rand(3, 1)),
    )  # of which none is the pattern
    assert called == ["rms_norm"]


def test_a_swapped_module_is_copied_pickled_saved_and_compiled() -> None:
    model, inputs = language_block()
    uol.replace(model)
    wanted = model(*inputs)
    norm = LlamaRMSNorm(8)
    uol.replace(norm)
    for each, given in ((model, inputs), (norm, inputs[:1])):
        file = io.BytesIO()
        torch.save(each, file)
        file.seek(0)
        for other in (copy.deepcopy(each), pickle.loads(pickle.dumps(each)), torch.load(file, weights_only=False)):
            assert type(other) is type(each) and other(*given).equal(each(*given))
    compiled: Any = torch.compile(model, backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(*inputs), wanted)
    assert not uol.replace(model).swapped  # a second time changes nothing
