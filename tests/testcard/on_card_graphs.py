"""Whole models under `torch.compile(model, backend="uol")` on the card: nothing is waited for, and a graph captures them."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator

import pytest
import torch
from torch import nn
from torchvision.models import VisionTransformer
from torchvision.models.resnet import Bottleneck

import uol.pytorch.graph as compiled_graphs
from testcard.backend import Launched
from testcard.device import NAME, counts
from testcard.graphs import captured
from uol.conformance.graphs.models import LanguageModel, Mixer, StateSpace

CARD = 1
WHERE = f"{NAME}:{CARD}"
Tensor = torch.Tensor
Run = Callable[[], list[Tensor]]


def _vision_transformer() -> nn.Module:
    model = VisionTransformer(16, 8, 1, 2, 24, 48, num_classes=5)
    nn.init.normal_(model.heads.head.weight, std=0.03)  # it starts as zeros, beside which no error shows
    return model


def _residual_network() -> nn.Module:
    """A ResNet's stem, a block with a stride and a projection, and its end: every kind of layer that it has."""
    projection = nn.Sequential(nn.Conv2d(8, 16, 1, stride=2, bias=False), nn.BatchNorm2d(16))
    stem = nn.Conv2d(3, 8, 7, stride=2, padding=3, bias=False), nn.BatchNorm2d(8), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, 1)
    end = nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 5)
    return nn.Sequential(*stem, Bottleneck(8, 4, stride=2, downsample=projection), *end).double()


MODELS: dict[str, tuple[Callable[[], nn.Module], Callable[[], Tensor]]] = {
    "llama": (lambda: LanguageModel(1, 16, 2, 1, 24, 9, 11), lambda: torch.randint(0, 11, (2, 9))),
    "mamba": (lambda: StateSpace(16, 2, 4), lambda: torch.randn(2, 9, 16)),
    "mixer": (lambda: Mixer(1, 4, 4, 12, 5), lambda: torch.randn(2, 3, 8, 8)),
    # in f64: batch norm of few values multiplies what is rounded
    "resnet": (_residual_network, lambda: torch.randn(2, 3, 16, 16).double()),
    "vit": (_vision_transformer, lambda: torch.randn(2, 3, 16, 16)),
}


@pytest.fixture(autouse=True)
def _anew() -> Iterator[None]:
    torch._dynamo.reset()
    compiled_graphs.reset()
    torch.manual_seed(0)
    yield
    torch._dynamo.reset()


def run_of(model: Callable[..., Tensor], module: nn.Module, x: Tensor, dy: Tensor) -> Run:
    """In training the result and the gradients of all parameters, else the result."""

    def step() -> list[Tensor]:
        y = model(x)
        return [y.detach(), *torch.autograd.grad(y, list(module.parameters()), dy)]

    def forward() -> list[Tensor]:
        with torch.no_grad():
            return [model(x)]

    return step if module.training else forward


def require_near(found: list[Tensor], wanted: list[Tensor]) -> None:
    """Within 2^-16 of the largest value; a gradient that is 0, but for roundings, within 2^-20 of the largest of all."""
    least = 2**-4 * max(float(w.abs().max()) for w in wanted)
    for k, (x, y) in enumerate(zip(found, wanted, strict=True)):
        off = float((x.cpu() - y).abs().max())
        assert off <= 2**-16 * max(least, float(y.abs().max())), f"value {k} is off by {off}"


# A training step has the forward in it; batch norm is another in inference.
SOAKED = [pytest.param(name, "inference", marks=pytest.mark.soak) for name in MODELS if name != "resnet"]


@pytest.mark.parametrize(("name", "mode"), [*((name, "training") for name in MODELS), ("resnet", "inference"), *SOAKED])
def test_a_compiled_model_waits_for_nothing_and_is_captured(name: str, mode: str, launches: list[Launched]) -> None:
    make, draw = MODELS[name]
    plain, x, other = make().train(mode == "training"), draw(), draw()
    own = copy.deepcopy(plain).to(WHERE)
    given = x.to(WHERE)
    with torch.no_grad():
        dy = torch.randn_like(copy.deepcopy(plain)(x))
    run = run_of(torch.compile(own, backend="uol", fullgraph=True, dynamic=False), own, given, dy.to(WHERE))
    run()  # kernels are there from here on
    before, so_far = counts(CARD), len(launches)
    found = run()
    after = counts(CARD)
    waited = (after.copies_to_host, after.waits, after.emulated)
    assert waited == (before.copies_to_host, before.waits, before.emulated), str(compiled_graphs.report())
    in_a_call = len(launches) - so_far
    require_near(found, run_of(plain, plain, x, dy)())
    with captured(CARD) as graph:
        static = run()
    assert graph.kernels == in_a_call > 10
    for values in (other, x):
        given.copy_(values)
        graph.replay()
        require_near(static, run_of(plain, plain, values, dy)())
    assert compiled_graphs.report().share == 1, str(compiled_graphs.report())


def test_what_waits_is_refused_while_a_graph_is_captured() -> None:
    x = torch.ones(3, device=WHERE)
    with captured(CARD), pytest.raises(RuntimeError, match="operation not permitted while card 1 is capturing"):
        x.sum().item()
    assert float(x.sum()) == 3
