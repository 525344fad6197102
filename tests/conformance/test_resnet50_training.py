"""ResNet-50 as a module of uol's operators, at a narrow size: its gradients, its errors beside the twin's, what it calls."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch

from uol.conformance.paths.draw import Values, typical_errors
from uol.conformance.paths.kernels import distinct_calls
from uol.conformance.paths.recorded import recorded
from uol.conformance.paths.resnet50.draw import LEVEL, NetworkDraw, draw, draw_sizes
from uol.conformance.paths.resnet50.module import ResNet, loss
from uol.conformance.paths.resnet50.sizes import SIZES
from uol.conformance.paths.resnet50.twin import TorchResNet

NARROW = SIZES["narrow"]
SEEDS = 8


def narrow(seed: int = 0) -> tuple[ResNet, torch.Tensor, torch.Tensor]:
    torch.manual_seed(seed)
    images = torch.randn(NARROW.batch, 3, NARROW.image, NARROW.image)
    return ResNet(NARROW), images, torch.randint(NARROW.classes, (NARROW.batch,))


@pytest.mark.soak
def test_its_gradients_are_those_of_differences() -> None:
    network, images, labels = narrow()
    network.double()
    names, parameters = zip(*network.named_parameters(), strict=True)

    def call(x: torch.Tensor, *values: torch.Tensor) -> Any:
        return loss(torch.func.functional_call(network, dict(zip(names, values, strict=True)), (x,)), labels)

    given = [images.double().requires_grad_(), *(p.detach().requires_grad_() for p in parameters)]
    assert torch.autograd.gradcheck(call, given, fast_mode=True)


def together(found: Values) -> Values:
    """Scores and loss, and the gradients, as a vector each: the ratio of two roundings of a handful of numbers is chance."""
    scores, loss, *gradients = found.values()
    parts = {"results": (scores, loss), "gradients": gradients}
    return {name: torch.cat([value.double().flatten() for value in each]) for name, each in parts.items()}


@dataclass(frozen=True, slots=True)
class Together:
    """A draw whose values are put together."""

    of: NetworkDraw

    @property
    def parameters(self) -> Values:
        return self.of.parameters

    def ours(self) -> Values:
        return together(self.of.ours())

    def theirs(self) -> Values:
        return together(self.of.theirs())

    def golden(self) -> Values:
        return together(self.of.golden())


@pytest.mark.parametrize("dtype", ["f32", *(pytest.param(d, marks=pytest.mark.soak) for d in ("f16", "bf16"))])
def test_its_errors_are_about_pytorchs(dtype: str) -> None:
    found = typical_errors([Together(draw("narrow", dtype, seed)) for seed in range(SEEDS)], dtype, LEVEL)
    assert found.keys() == {"results", "gradients"}
    assert not {name: dual.detail for name, dual in found.items() if not dual.ok}


def test_a_step_gives_the_same_bits_again() -> None:
    draw = draw_sizes(NARROW, "f32", 0)
    state = copy.deepcopy(draw.network.state_dict())
    first = draw.ours()
    draw.network.load_state_dict(state)
    again = draw.ours()
    assert all(torch.equal(first[name], again[name]) for name in first)


def test_in_evaluation_it_is_the_twin() -> None:
    ours, images, _ = narrow()
    theirs = TorchResNet(NARROW)
    theirs.load_state_dict(ours.state_dict())
    theirs(images)  # so that the running statistics are of something
    ours.load_state_dict(theirs.state_dict())
    torch.testing.assert_close(ours.eval()(images), theirs.eval()(images), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("dtype", ["f32", "f16"])
def test_it_computes_with_uols_operators_alone(dtype: str) -> None:
    run = recorded(draw_sizes(NARROW, dtype, 0).ours)
    assert not run.foreign
    assert {"conv2d", "batch_norm_relu_mixed_saving", "max_pool2d_grad", "linear_grad"} <= {call.op for call in run.calls}


def test_the_kernels_of_fewer_blocks_are_those_of_all() -> None:
    """A stage's second block calls what its later ones call."""
    forms = []
    for blocks in ((2, 2), (3, 4)):
        run = recorded(draw_sizes(replace(NARROW, blocks=blocks), "f32", 0).ours)
        cases = distinct_calls(run.calls)
        forms.append({(c.call.op, *((x.shape, x.stride()) for x in c.call.inputs), *c.call.options.items()) for c in cases})
    assert forms[0] == forms[1]


def test_its_state_is_torchvisions() -> None:
    torchvision = pytest.importorskip("torchvision", reason="the names are torchvision's")
    with torch.device("meta"):
        theirs, *ours = torchvision.models.resnet50(), ResNet(SIZES["real"]), TorchResNet(SIZES["real"])
    for network in ours:
        found = {name: value.shape for name, value in network.state_dict().items()}
        assert found == {name: value.shape for name, value in theirs.state_dict().items()}
